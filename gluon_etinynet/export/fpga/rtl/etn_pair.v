// Two scalar products of V bytes with 4-bit weights, two products in each multiplier of 25 by 8 bits:
//     (w1 * 2^21 + w0) * a = (w1 * a) * 2^21 + w0 * a
// The sum of the low parts stays below 2^20, so that both sums are read off the sum of the products. Four multipliers
// add up in a row, each a cycle after the one before, as DSP blocks can without logic: lane k comes k mod 4 cycles late,
// the bytes already so (`etn_skew`), the weights here. The sums are there 8 cycles after lane 0.
`default_nettype none

module etn_pair #(
    parameter V = 24
) (
    input  wire               clk,
    input  wire [8*V-1:0]     bytes,
    input  wire [4*V-1:0]     weights_0,
    input  wire [4*V-1:0]     weights_1,
    output wire signed [15:0] sum_0,
    output wire signed [15:0] sum_1
);
    localparam ROW = 34, WIDTH = 37, ROWS = V / 4;

    wire [WIDTH*8-1:0] rows;
    reg  [WIDTH-1:0]   half_0, half_1, total;

    genvar row, k;
    generate
        for (row = 0; row < 8; row = row + 1) begin : chain
            if (row < ROWS) begin : used
                wire [5*ROW-1:0] so_far;  // of the multipliers before
                assign so_far[0 +: ROW] = 0;
                for (k = 0; k < 4; k = k + 1) begin : lane
                    wire [3:0] w0 = weights_0[4*(4*row+k) +: 4];
                    wire [3:0] w1 = weights_1[4*(4*row+k) +: 4];
                    wire [7:0] late;
                    reg signed [24:0]    factor;
                    reg signed [7:0]     a;
                    reg signed [31:0]    product;
                    reg signed [ROW-1:0] sum;
                    // A negative w0 borrows from w1.
                    etn_delay #(.WIDTH(8), .CYCLES(k)) skew (.clk(clk), .in({w1 - {3'b0, w0[3]}, w0}), .out(late));
                    always @(posedge clk) begin
                        factor  <= {late[7:4], {17{late[3]}}, late[3:0]};
                        a       <= bytes[8*(4*row+k) +: 8];
                        product <= factor * a;
                        sum     <= {{ROW-32{product[31]}}, product} + so_far[ROW*k +: ROW];
                    end
                    assign so_far[ROW*(k+1) +: ROW] = sum;
                end
                assign rows[WIDTH*row +: WIDTH] = {{WIDTH-ROW{so_far[5*ROW-1]}}, so_far[4*ROW +: ROW]};
            end else begin : unused
                assign rows[WIDTH*row +: WIDTH] = 0;
            end
        end
    endgenerate

    always @(posedge clk) begin
        half_0 <= (rows[0       +: WIDTH] + rows[WIDTH   +: WIDTH]) + (rows[2*WIDTH +: WIDTH] + rows[3*WIDTH +: WIDTH]);
        half_1 <= (rows[4*WIDTH +: WIDTH] + rows[5*WIDTH +: WIDTH]) + (rows[6*WIDTH +: WIDTH] + rows[7*WIDTH +: WIDTH]);
        total  <= half_0 + half_1;
    end

    assign sum_0 = total[15:0];
    assign sum_1 = total[36:21] + {15'b0, total[20]};
endmodule

`default_nettype wire
