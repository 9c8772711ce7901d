// One lane from accumulator to output (docs/numerics.md, section 2):
//     t = ((max(acc, 0) * multiplier) >> down) + offset + shortcut_multiplier * shortcut       down = 16 - L
//     q = clamp(t >> 10, low, 127)
// Shifting the product right by 16 - L is what shifting the accumulator left by L and the product right by 16 is.
// Pipelined: q is there 5 cycles after the accumulator, t one cycle before q.
`default_nettype none

module etn_requant #(
    parameter ACC_BITS    = 25,
    parameter OFFSET_BITS = 20,
    parameter SHORTCUT    = 1    // 0 where there never is one
) (
    input  wire                          clk,

    input  wire                          relu,
    input  wire        [4:0]             down,
    input  wire signed [15:0]            shortcut_multiplier,
    input  wire signed [7:0]             low,

    input  wire signed [ACC_BITS-1:0]    acc,
    input  wire signed [15:0]            multiplier,
    input  wire signed [OFFSET_BITS-1:0] offset,
    input  wire signed [7:0]             shortcut,

    output reg  signed [31:0]            t,
    output reg  signed [7:0]             q
);
    reg signed [ACC_BITS-1:0]    factor;
    reg signed [15:0]            multiplier_1;
    reg signed [OFFSET_BITS-1:0] offset_1;
    reg signed [23:0]            partial_0, partial_1;
    reg signed [ACC_BITS+15:0]   product;
    reg signed [26:0]            addend_2, addend_3;
    reg signed [31:0]            shifted;

    // Eight rows of the product with the shortcut, in logic: DSP blocks are for the convolutions.
    wire [7:0] bits = SHORTCUT ? shortcut : 8'd0;
    wire signed [23:0] row = {{8{shortcut_multiplier[15]}}, shortcut_multiplier};
    wire signed [47:0] wide_product = {{32-ACC_BITS{product[ACC_BITS+15]}}, product};
    wire signed [31:0] down_shifted = shifted_down(wide_product, down);
    wire signed [21:0] whole    = t[31:10];
    wire signed [21:0] low_wide = {{14{low[7]}}, low};

    // The whole of it fits 32 bits: Graph.validate demands that.
    function signed [31:0] shifted_down(input signed [47:0] value, input [4:0] places);
        reg signed [47:0] moved;
        begin
            moved = value >>> places;
            shifted_down = moved[31:0];
        end
    endfunction

    always @(posedge clk) begin
        factor       <= relu && acc[ACC_BITS-1] ? {ACC_BITS{1'b0}} : acc;
        multiplier_1 <= multiplier;
        offset_1     <= offset;
        partial_0    <= (bits[0] ? row       : 24'sd0) + (bits[1] ? row <<< 1 : 24'sd0)
                      + (bits[2] ? row <<< 2 : 24'sd0) + (bits[3] ? row <<< 3 : 24'sd0);
        partial_1    <= (bits[4] ? row <<< 4 : 24'sd0) + (bits[5] ? row <<< 5 : 24'sd0)
                      + (bits[6] ? row <<< 6 : 24'sd0) - (bits[7] ? row <<< 7 : 24'sd0);

        product      <= factor * multiplier_1;
        addend_2     <= {{27-OFFSET_BITS{offset_1[OFFSET_BITS-1]}}, offset_1}
                      + {{3{partial_0[23]}}, partial_0} + {{3{partial_1[23]}}, partial_1};

        shifted      <= down_shifted;
        addend_3     <= addend_2;

        t            <= shifted + {{5{addend_3[26]}}, addend_3};

        q            <= whole > 22'sd127 ? 8'sd127 : whole < low_wide ? low : whole[7:0];
    end
endmodule

`default_nettype wire
