// One lane of a depthwise convolution: nine products of 4 by 8 bits, and their sum 4 cycles later.
// The products are made in logic, because a DSP block each would take more than a device has. A weight is two digits
// to the base 4, -2..1 and -2..2 (Booth's), so that a product is two additions of the byte, its double, or their
// complements; what a complement lacks to the negative goes into the low bits of the first addition.
`default_nettype none

module etn_taps (
    input  wire               clk,
    input  wire [71:0]        bytes,    // tap k in bits 8 k ..
    input  wire [35:0]        weights,  // tap k in bits 4 k ..
    output reg  signed [15:0] sum
);
    wire [9*12-1:0] products;
    reg  [3*14-1:0] row;

    genvar k;
    generate
        for (k = 0; k < 9; k = k + 1) begin : tap
            wire [3:0] w      = weights[4*k +: 4];
            wire [8:0] a      = {bytes[8*k+7], bytes[8*k +: 8]};
            wire       minus  = w[3] && !(w[2] && w[1]);  // the high digit is negative
            wire [8:0] low    = (w[0] ? a : w[1] ? {a[7:0], 1'b0} : 9'd0) ^ {9{w[1]}};
            reg  [8:0] a_1;
            reg        once, twice, minus_1;
            wire [8:0] high   = (once ? a_1 : twice ? {a_1[7:0], 1'b0} : 9'd0) ^ {9{minus_1}};
            reg  [9:0] first;
            reg [11:0] product;
            always @(posedge clk) begin
                first   <= {7'b0, minus, 1'b0, w[1]} + {low[8], low};
                a_1     <= a;
                once    <= w[2] ^ w[1];
                twice   <= w[3] != w[2] && w[2] == w[1];
                minus_1 <= minus;
                product <= {{2{first[9]}}, first} + {high[8], high, 2'b0};
            end
            assign products[12*k +: 12] = product;
        end
        for (k = 0; k < 3; k = k + 1) begin : sums
            wire [11:0] a = products[36*k      +: 12];
            wire [11:0] b = products[36*k + 12 +: 12];
            wire [11:0] c = products[36*k + 24 +: 12];
            always @(posedge clk) row[14*k +: 14] <= {{2{a[11]}}, a} + {{2{b[11]}}, b} + {{2{c[11]}}, c};
        end
    endgenerate

    always @(posedge clk)
        sum <= {{2{row[13]}}, row[0 +: 14]} + {{2{row[27]}}, row[14 +: 14]} + {{2{row[41]}}, row[28 +: 14]};
endmodule

`default_nettype wire
