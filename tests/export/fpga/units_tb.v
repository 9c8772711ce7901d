// Applies each vector for some cycles and prints what comes out at last. vectors.hex: a vector a line, fields from bit 0
// on as the units below take them.
`default_nettype none

module units_tb;
    parameter COUNT = 1, PRODUCT_BITS = 25;

    reg          clk = 0;
    reg  [511:0] vectors [0:COUNT-1];
    reg  [511:0] vector;
    integer      i;

    wire signed [31:0] t;
    wire signed [7:0]  q;
    wire signed [15:0] sum_0, sum_1, taps;
    wire        [17:0] once, thrice, minus;
    wire        [63:0] bytes;

    etn_multiples multiples (.clk(clk), .multiplier(vector[21:6]), .once(once), .thrice(thrice), .minus(minus));
    etn_requant #(.ACC_BITS(25), .OFFSET_BITS(24), .PRODUCT_BITS(PRODUCT_BITS)) requant (
        .clk(clk), .relu(vector[0]), .down(vector[5:1]), .shortcut_1(once), .shortcut_3(thrice),
        .shortcut_minus_1(minus), .low(vector[29:22]), .acc(vector[54:30]), .multiplier(vector[70:55]),
        .offset(vector[94:71]), .shortcut(vector[102:95]), .t(t), .q(q));
    etn_skew #(.V(8)) skew (.clk(clk), .in(vector[191:128]), .out(bytes));
    etn_pair #(.V(8), .PRODUCT_BITS(PRODUCT_BITS)) pair (
        .clk(clk), .bytes(bytes), .weights_0(vector[223:192]), .weights_1(vector[255:224]), .sum_0(sum_0),
        .sum_1(sum_1));
    etn_taps convolution (.clk(clk), .bytes(vector[327:256]), .weights(vector[363:328]), .sum(taps));

    always #5 clk = !clk;

    initial begin
        $readmemh("vectors.hex", vectors);
        for (i = 0; i < COUNT; i = i + 1) begin
            vector = vectors[i];
            repeat (14) @(posedge clk);
            #1 $display("%0d %0d %0d %0d %0d", q, t, sum_0, sum_1, taps);
        end
        $finish(0);
    end
endmodule

`default_nettype wire
