// Two scalar products of V bytes with 4-bit weights, two products in each multiplier of 25 by 8 bits:
//     (w1 * 2^21 + w0) * a = (w1 * a) * 2^21 + w0 * a
// The sum of the low parts stays below 2^20, so that both sums are read off the sum of the products. 5 cycles.
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
    localparam WIDTH = 38;
    localparam N1 = (V + 3) / 4, N2 = (N1 + 3) / 4;

    wire [WIDTH*4*N1-1:0] products;
    wire [WIDTH*4*N2-1:0] sums_1;
    wire [WIDTH*4-1:0]    sums_2;
    reg  [WIDTH-1:0]      total;

    genvar i;
    generate
        for (i = 0; i < 4 * N1; i = i + 1) begin : lane
            if (i < V) begin : used
                wire [3:0] w0 = weights_0[4*i +: 4];
                wire [3:0] w1 = weights_1[4*i +: 4];
                wire [3:0] high = w1 - {3'b0, w0[3]};  // what a negative w0 borrows
                reg signed [24:0] packed_weights;
                reg signed [7:0]  a;
                reg signed [32:0] product;
                always @(posedge clk) begin
                    packed_weights <= {high, {17{w0[3]}}, w0};
                    a              <= bytes[8*i +: 8];
                    product        <= packed_weights * a;
                end
                assign products[WIDTH*i +: WIDTH] = {{WIDTH-33{product[32]}}, product};
            end else begin : unused
                assign products[WIDTH*i +: WIDTH] = 0;
            end
        end
        for (i = 0; i < 4 * N2; i = i + 1) begin : first
            if (i < N1) begin : used
                reg [WIDTH-1:0] sum;
                always @(posedge clk)
                    sum <= (products[WIDTH*(4*i)   +: WIDTH] + products[WIDTH*(4*i+1) +: WIDTH])
                         + (products[WIDTH*(4*i+2) +: WIDTH] + products[WIDTH*(4*i+3) +: WIDTH]);
                assign sums_1[WIDTH*i +: WIDTH] = sum;
            end else begin : unused
                assign sums_1[WIDTH*i +: WIDTH] = 0;
            end
        end
        for (i = 0; i < 4; i = i + 1) begin : second
            if (i < N2) begin : used
                reg [WIDTH-1:0] sum;
                always @(posedge clk)
                    sum <= (sums_1[WIDTH*(4*i)   +: WIDTH] + sums_1[WIDTH*(4*i+1) +: WIDTH])
                         + (sums_1[WIDTH*(4*i+2) +: WIDTH] + sums_1[WIDTH*(4*i+3) +: WIDTH]);
                assign sums_2[WIDTH*i +: WIDTH] = sum;
            end else begin : unused
                assign sums_2[WIDTH*i +: WIDTH] = 0;
            end
        end
    endgenerate

    always @(posedge clk)
        total <= (sums_2[0 +: WIDTH] + sums_2[WIDTH +: WIDTH]) + (sums_2[2*WIDTH +: WIDTH] + sums_2[3*WIDTH +: WIDTH]);

    assign sum_0 = total[15:0];
    assign sum_1 = total[36:21] + {15'b0, total[20]};
endmodule

`default_nettype wire
