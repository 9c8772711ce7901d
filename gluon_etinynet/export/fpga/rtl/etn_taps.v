// One lane of a depthwise convolution: nine products of 4 by 8 bits, and their sum 4 cycles later.
// The products are made in logic, because a DSP block each would take more than a device has.
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
            etn_product one (.clk(clk), .a(bytes[8*k +: 8]), .weight(weights[4*k +: 4]), .product(products[12*k +: 12]));
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
