// Two scalar products of V bytes with 4-bit weights, two products in each multiplier of 25 by 8 bits:
//     (w1 * 2^21 + w0) * a = (w1 * a) * 2^21 + w0 * a
// The sum of the low parts stays below 2^20, so that both sums are read off the sum of the products. A negative w0
// borrows from w1: the memory of weights has that done, what comes as the weight 1 is w1 - (w0 < 0).
// V / 2 multipliers add up in a row, each a cycle after the one before, as DSP blocks can without logic: lane k comes
// k mod V / 2 cycles late, the bytes already so (`etn_skew`), the weights here. The sums are there V / 2 + 3 cycles
// after lane 0.
// Where a multiplier's wider input has less than 25 bits, the two products are made in logic and kept apart.
`default_nettype none

module etn_pair #(
    parameter V            = 24,
    parameter PRODUCT_BITS = 25
) (
    input  wire               clk,
    input  wire [8*V-1:0]     bytes,
    input  wire [4*V-1:0]     weights_0,
    input  wire [4*V-1:0]     weights_1,
    output wire signed [15:0] sum_0,
    output wire signed [15:0] sum_1
);
    localparam ROW = V / 2, WIDTH = 37;

    wire [2*WIDTH-1:0] rows;
    reg  [WIDTH-1:0]   total;

    genvar row, k;
    generate
        for (row = 0; row < 2; row = row + 1) begin : chain
            wire [(ROW+1)*WIDTH-1:0] so_far;  // of the multipliers before
            assign so_far[0 +: WIDTH] = 0;
            for (k = 0; k < ROW; k = k + 1) begin : lane
                localparam LANE = ROW * row + k;
                wire [7:0]       late;
                etn_delay #(.WIDTH(8), .CYCLES(k)) skew (
                    .clk(clk), .in({weights_1[4*LANE +: 4], weights_0[4*LANE +: 4]}), .out(late));
                wire [WIDTH-1:0] so_far_k = so_far[WIDTH*k +: WIDTH];
                if (PRODUCT_BITS >= 25) begin : one_multiplier
                    reg signed [24:0]      factor;
                    reg signed [7:0]       a;
                    reg signed [32:0]      product;
                    reg signed [WIDTH-1:0] sum;
                    always @(posedge clk) begin
                        factor  <= {late[7:4], {17{late[3]}}, late[3:0]};
                        a       <= bytes[8*LANE +: 8];
                        product <= factor * a;
                        sum     <= {{WIDTH-33{product[32]}}, product} + so_far_k;
                    end
                    assign so_far[WIDTH*(k+1) +: WIDTH] = sum;
                end else begin : luts
                    wire [3:0]  whole = late[7:4] + {3'b0, late[3]};
                    wire [11:0] lower, upper;
                    reg  [15:0] low, high;
                    etn_product even (.clk(clk), .a(bytes[8*LANE +: 8]), .weight(late[3:0]), .product(lower));
                    etn_product odd  (.clk(clk), .a(bytes[8*LANE +: 8]), .weight(whole), .product(upper));
                    always @(posedge clk) begin
                        low  <= so_far_k[15:0] + {{4{lower[11]}}, lower};
                        high <= so_far_k[36:21] + {{4{upper[11]}}, upper};
                    end
                    assign so_far[WIDTH*(k+1) +: WIDTH] = {high, 5'b0, low};
                end
            end
            assign rows[WIDTH*row +: WIDTH] = so_far[WIDTH*ROW +: WIDTH];
        end
    endgenerate

    always @(posedge clk) total <= rows[0 +: WIDTH] + rows[WIDTH +: WIDTH];

    assign sum_0 = total[15:0];
    assign sum_1 = total[36:21] + {15'b0, total[20]};
endmodule

`default_nettype wire
