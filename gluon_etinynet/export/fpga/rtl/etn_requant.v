// One lane from accumulator to output (docs/numerics.md, section 2):
//     t = ((max(acc, 0) * multiplier) >> (16 - L)) + offset + shortcut_multiplier * shortcut
//     q = clamp(t >> 10, low, 127)
// Shifting the product right by 16 - L is what shifting the accumulator left by L and the product right by 16 is; 16 - L
// is DOWN_LEAST in every layer, and `down` more. The product with the shortcut is four additions, one for each digit to
// the base 4: multiples 1, 3 and -1 of its multiplier are given, because they are the same for all lanes.
// The channel's multiplier and offset and the shortcut come one cycle before the accumulator; q is there 5 cycles after
// it, t one cycle before q.
`default_nettype none

module etn_requant #(
    parameter ACC_BITS    = 25,
    parameter OFFSET_BITS = 20,
    parameter DOWN_LEAST  = 0,
    parameter DOWN_BITS   = 5,
    parameter SHORTCUT    = 1   // 0 where there never is one
) (
    input  wire                          clk,

    input  wire                          relu,
    input  wire        [DOWN_BITS-1:0]   down,
    input  wire signed [17:0]            shortcut_1,
    input  wire signed [17:0]            shortcut_3,
    input  wire signed [17:0]            shortcut_minus_1,
    input  wire signed [7:0]             low,

    input  wire signed [15:0]            multiplier,
    input  wire        [OFFSET_BITS-1:0] offset,
    input  wire        [7:0]             shortcut,
    input  wire signed [ACC_BITS-1:0]    acc,

    output reg  signed [31:0]            t,
    output reg  signed [7:0]             q
);
    reg signed [15:0]          multiplier_0, multiplier_1;
    reg signed [ACC_BITS-1:0]  factor;
    reg signed [ACC_BITS+15:0] product;
    reg signed [31:0]          shifted;
    reg [26:0]                 addend_0, addend_1, addend_2, addend_3;
    reg [7:0]                  shortcut_0, shortcut_r1, shortcut_r2;

    wire signed [47:0] wide_product = {{32-ACC_BITS{product[ACC_BITS+15]}}, product};
    wire signed [31:0] down_shifted = shifted_down(wide_product, down);
    wire signed [21:0] whole        = t[31:10];
    wire signed [21:0] low_wide     = {{14{low[7]}}, low};

    // The whole of it fits 32 bits: Graph.validate demands that.
    function signed [31:0] shifted_down(input signed [47:0] value, input [DOWN_BITS-1:0] places);
        reg signed [47:0] moved;
        begin
            moved = value >>> DOWN_LEAST;
            moved = moved >>> places;
            shifted_down = moved[31:0];
        end
    endfunction

    // What a digit 0..3 contributes, and the highest one, -2..1.
    function [26:0] times(input [1:0] digit, input [17:0] once, input [17:0] thrice);
        case (digit)
            0:       times = 0;
            1:       times = {{9{once[17]}}, once};
            2:       times = {{8{once[17]}}, once, 1'b0};
            default: times = {{9{thrice[17]}}, thrice};
        endcase
    endfunction

    function [26:0] times_highest(input [1:0] digit, input [17:0] once, input [17:0] minus);
        case (digit)
            0:       times_highest = 0;
            1:       times_highest = {{9{once[17]}}, once};
            2:       times_highest = {{8{minus[17]}}, minus, 1'b0};
            default: times_highest = {{9{minus[17]}}, minus};
        endcase
    endfunction

    wire [26:0] part_0 = times(shortcut[1:0], shortcut_1, shortcut_3);
    wire [26:0] part_1 = times(shortcut_0[3:2], shortcut_1, shortcut_3);
    wire [26:0] part_2 = times(shortcut_r1[5:4], shortcut_1, shortcut_3);
    wire [26:0] part_3 = times_highest(shortcut_r2[7:6], shortcut_1, shortcut_minus_1);

    always @(posedge clk) begin
        multiplier_0 <= multiplier;
        shortcut_0   <= shortcut;
        addend_0     <= {{27-OFFSET_BITS{offset[OFFSET_BITS-1]}}, offset} + (SHORTCUT ? part_0 : 27'd0);

        factor       <= relu && acc[ACC_BITS-1] ? {ACC_BITS{1'b0}} : acc;
        multiplier_1 <= multiplier_0;
        shortcut_r1  <= shortcut_0;
        addend_1     <= addend_0 + (SHORTCUT ? {part_1[24:0], 2'b0} : 27'd0);

        product      <= factor * multiplier_1;
        shortcut_r2  <= shortcut_r1;
        addend_2     <= addend_1 + (SHORTCUT ? {part_2[22:0], 4'b0} : 27'd0);

        shifted      <= down_shifted;
        addend_3     <= addend_2 + (SHORTCUT ? {part_3[20:0], 6'b0} : 27'd0);

        t            <= shifted + {{5{addend_3[26]}}, addend_3};

        q            <= whole > 22'sd127 ? 8'sd127 : whole < low_wide ? low : whole[7:0];
    end
endmodule

`default_nettype wire
