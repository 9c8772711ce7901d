// One lane from accumulator to output (docs/numerics.md, section 2):
//     t = ((max(acc, 0) * multiplier) >> (16 - L)) + offset + shortcut_multiplier * shortcut
//     q = clamp(t >> 10, low, 127)
// Shifting the product right by 16 - L is what shifting the accumulator left by L and the product right by 16 is; 16 - L
// is DOWN_LEAST in every layer, and `down` more. The product with the shortcut is four additions, one for each digit to
// the base 4: multiples 1, 3 and -1 of its multiplier are given, because they are the same for all lanes.
// A product that is wider than PRODUCT_BITS, a multiplier's wider input, is made of two.
// The channel's multiplier and offset and the shortcut come one cycle before the accumulator; q is there 8 cycles after
// it, t two cycles before q.
`default_nettype none

module etn_requant #(
    parameter ACC_BITS     = 25,
    parameter OFFSET_BITS  = 20,
    parameter DOWN_LEAST   = 0,
    parameter DOWN_BITS    = 5,
    parameter PRODUCT_BITS = 25,
    parameter SHORTCUT     = 1   // 0 where there never is one
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
    localparam PRODUCT = ACC_BITS + 16;

    reg signed [15:0]          multiplier_0, multiplier_1;
    reg signed [ACC_BITS-1:0]  factor;
    reg signed [PRODUCT-1:0]   product;
    reg signed [47:0]          coarse;
    reg signed [31:0]          shifted;
    reg [26:0]                 addend_0, addend_1, addend_2, addend_3;
    reg [7:0]                  shortcut_0, shortcut_1st, shortcut_2nd;
    reg                        over, under, less;
    reg [7:0]                  kept;

    // `down` in steps of four places, then the rest. The whole of it fits 32 bits: Graph.validate demands that.
    wire [5:0]                 places       = {{6-DOWN_BITS{1'b0}}, down};
    wire signed [47:0]         wide_product = {{48-PRODUCT{product[PRODUCT-1]}}, product};
    wire signed [47:0]         coarse_now   = (wide_product >>> DOWN_LEAST) >>> {places[5:2], 2'b00};
    wire signed [47:0]         fine_now     = coarse >>> places[1:0];
    wire [26:0]                addend;
    wire [21:0]                whole        = t[31:10];

    generate
        if (ACC_BITS <= PRODUCT_BITS) begin : one_multiplier
            reg signed [PRODUCT-1:0] first;
            always @(posedge clk) begin
                first   <= factor * multiplier_1;
                product <= first;
            end
        end else begin : two_multipliers
            reg signed [33:0]            lower;
            reg signed [PRODUCT-18:0]    upper;
            always @(posedge clk) begin
                lower   <= $signed({1'b0, factor[16:0]}) * multiplier_1;
                upper   <= $signed(factor[ACC_BITS-1:17]) * multiplier_1;
                product <= {{PRODUCT-34{lower[33]}}, lower} + {upper, 17'b0};
            end
        end
    endgenerate
    etn_delay #(.WIDTH(27), .CYCLES(2)) addend_delay (.clk(clk), .in(addend_3), .out(addend));

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
    wire [26:0] part_2 = times(shortcut_1st[5:4], shortcut_1, shortcut_3);
    wire [26:0] part_3 = times_highest(shortcut_2nd[7:6], shortcut_1, shortcut_minus_1);

    always @(posedge clk) begin
        multiplier_0 <= multiplier;
        shortcut_0   <= shortcut;
        addend_0     <= {{27-OFFSET_BITS{offset[OFFSET_BITS-1]}}, offset} + (SHORTCUT ? part_0 : 27'd0);

        factor       <= relu && acc[ACC_BITS-1] ? {ACC_BITS{1'b0}} : acc;
        multiplier_1 <= multiplier_0;
        shortcut_1st <= shortcut_0;
        addend_1     <= addend_0 + (SHORTCUT ? {part_1[24:0], 2'b0} : 27'd0);

        shortcut_2nd <= shortcut_1st;
        addend_2     <= addend_1 + (SHORTCUT ? {part_2[22:0], 4'b0} : 27'd0);

        addend_3     <= addend_2 + (SHORTCUT ? {part_3[20:0], 6'b0} : 27'd0);

        coarse       <= coarse_now;

        shifted      <= fine_now[31:0];

        t            <= shifted + {{5{addend[26]}}, addend};

        over         <= !whole[21] && |whole[20:7];     // more than 8 bits hold
        under        <= whole[21] && !(&whole[20:7]);
        less         <= {!whole[7], whole[6:0]} < {!low[7], low[6:0]};
        kept         <= whole[7:0];

        q            <= over ? 8'sd127 : under || less ? low : kept;
    end
endmodule

`default_nettype wire
