// A byte by a 4-bit weight, without a multiplier, two cycles later.
// The weight is two digits to the base 4, -2..1 and -2..2 (Booth's), so that the product is two additions of the byte,
// its double, or their complements; what a complement lacks to the negative goes into the low bits of the first addition.
`default_nettype none

module etn_product (
    input  wire               clk,
    input  wire [7:0]         a,
    input  wire [3:0]         weight,
    output reg  signed [11:0] product
);
    wire [3:0] w     = weight;
    wire [8:0] wide  = {a[7], a};
    wire       minus = w[3] && !(w[2] && w[1]);  // the high digit is negative
    wire [8:0] low   = (w[0] ? wide : w[1] ? {a, 1'b0} : 9'd0) ^ {9{w[1]}};
    reg  [8:0] wide_1;
    reg        once, twice, minus_1;
    wire [8:0] high  = (once ? wide_1 : twice ? {wide_1[7:0], 1'b0} : 9'd0) ^ {9{minus_1}};
    reg  [9:0] first;

    always @(posedge clk) begin
        first   <= {7'b0, minus, 1'b0, w[1]} + {low[8], low};
        wide_1  <= wide;
        once    <= w[2] ^ w[1];
        twice   <= w[3] != w[2] && w[2] == w[1];
        minus_1 <= minus;
        product <= {{2{first[9]}}, first} + {high[8], high, 2'b0};
    end
endmodule

`default_nettype wire
