// A pointwise convolution with requantisation and shortcut: V channels of a pixel by TO outputs in a cycle.
// The stem comes here as well, as the 27 values under each of its windows, and the fully connected layer as one pixel.
// TO outputs come `LATENCY` cycles after the last word of their group, whether or not anybody waits for them: a place
// was reserved with `reserve`, while there was `room`.
`default_nettype none

module etn_pw #(
    parameter V               = 24,
    parameter TO              = 4,
    parameter WORD_BITS       = 5,    // a pixel has at most 2^WORD_BITS - 1 words
    parameter GROUP_BITS      = 12,   // and at most 2^GROUP_BITS groups of outputs
    parameter PIXEL_BITS      = 7,    // of the ring of operands
    parameter ACC_BITS        = 25,
    parameter OFFSET_BITS     = 20,
    parameter BIAS_BITS       = 16,
    parameter WEIGHT_BITS     = 12,
    parameter CHANNEL_ADDRESS = 10,
    parameter DOWN_LEAST      = 0,
    parameter DOWN_BITS       = 5,
    parameter PRODUCT_BITS    = 25,
    parameter CHANNEL_BITS    = 16 + OFFSET_BITS + BIAS_BITS
) (
    input  wire                       clk,
    input  wire                       clear,

    input  wire [WORD_BITS-1:0]       last_word,
    input  wire [GROUP_BITS-1:0]      last_group,
    input  wire [WEIGHT_BITS-1:0]     weight_base,
    input  wire [CHANNEL_ADDRESS-1:0] channel_base,
    input  wire                       relu,
    input  wire [DOWN_BITS-1:0]       down,
    input  wire                       with_shortcut,
    input  wire [15:0]                shortcut_multiplier,
    input  wire [7:0]                 low,

    output wire                       in_room,
    input  wire                       in_reserve,
    input  wire                       in_push,
    input  wire [8*V-1:0]             in_word,
    input  wire [8*V-1:0]             in_shortcut,

    output reg  [WEIGHT_BITS-1:0]     weight_address,   // answered after three cycles
    input  wire [4*V*TO-1:0]          weights,
    output wire [CHANNEL_ADDRESS-1:0] channel_address,  // answered after three, as well
    input  wire [CHANNEL_BITS*TO-1:0] channels,

    input  wire                       room,
    output wire                       reserve,          // for a group of outputs
    output wire                       reserve_word,     // for the word of V channels that the group completes
    output wire                       t_valid,
    output wire [32*TO-1:0]           t,
    output wire                       q_valid,
    output wire                       q_last,           // the last group of a pixel
    output wire [8*TO-1:0]            q
);
    localparam TO_SUM = V / 2 + 6;  // cycles from a word to its sum
    localparam LATENCY = TO_SUM + 1 + 8;
    localparam UNIT = V % TO == 0 ? TO : 8;  // channels; divides V and TO
    localparam PER_WORD = V / UNIT, PER_GROUP = TO / UNIT;

    // ---- One word of a pixel and one word of weights in each cycle ----
    wire                       whole;
    wire [8*V-1:0]             word;
    wire [16*V-1:0]            shortcuts;
    reg  [WORD_BITS-1:0]       index;
    reg  [GROUP_BITS-1:0]      group;
    reg  [CHANNEL_ADDRESS-1:0] channel;
    reg  [WORD_BITS-1:0]       shortcut_index;
    reg  [2:0]                 shortcut_unit, shortcut_place_1, shortcut_place_2;

    // Where the walk through words and groups is: registers, because everything waits for them.
    reg first, last, first_group, final_group;
    reg one_word, one_group;                     // of the pass
    reg [WORD_BITS-1:0]  word_before_last;
    reg [GROUP_BITS-1:0] group_before_last;

    wire pixel_first = first && first_group;
    wire pixel_last  = last && final_group;
    wire issue       = (!pixel_first || whole) && (!first || room);
    wire [3:0] shortcut_next = {1'b0, shortcut_unit} + PER_GROUP[3:0];
    wire       shortcut_full = shortcut_next >= PER_WORD[3:0];
    wire [3:0] shortcut_rest = shortcut_next - PER_WORD[3:0];

    assign reserve      = issue && first;
    assign reserve_word = reserve && shortcut_full;

    etn_operands #(.V(V), .DEPTH_BITS(PIXEL_BITS), .SHORTCUT_BITS(WORD_BITS)) operands (
        .clk(clk), .clear(clear), .with_shortcut(with_shortcut),
        .room(in_room), .reserve(in_reserve), .push(in_push), .push_word(in_word), .push_shortcut(in_shortcut),
        .whole(whole), .release_pixel(issue && pixel_last), .last_word(last_word),
        .word_index(index), .word(word), .shortcut_index(shortcut_index), .shortcuts(shortcuts));

    reg [LATENCY-1:0] lasts, ends;
    reg [TO_SUM-1:0]  firsts;

    always @(posedge clk) begin
        firsts <= {firsts[TO_SUM-2:0], first};
        ends   <= {ends[LATENCY-2:0], pixel_last};
        shortcut_place_1  <= shortcut_unit;
        shortcut_place_2  <= shortcut_place_1;
        one_word          <= last_word == 0;
        one_group         <= last_group == 0;
        word_before_last  <= last_word - 1'b1;
        group_before_last <= last_group - 1'b1;
        if (clear) begin
            first          <= 1;
            last           <= one_word;
            first_group    <= 1;
            final_group    <= one_group;
            index          <= 0;
            group          <= 0;
            weight_address <= weight_base;
            channel        <= channel_base;
            shortcut_index <= 0;
            shortcut_unit  <= 0;
            lasts          <= 0;
        end else begin
            lasts <= {lasts[LATENCY-2:0], issue && last};
            if (issue) begin
                index          <= last ? 0 : index + 1'b1;
                first          <= last;
                last           <= last ? one_word : index == word_before_last;
                weight_address <= pixel_last ? weight_base : weight_address + 1'b1;
                if (last) begin
                    first_group    <= final_group;
                    final_group    <= final_group ? one_group : group == group_before_last;
                    group          <= pixel_last ? 0 : group + 1'b1;
                    channel        <= pixel_last ? channel_base : channel + 1'b1;
                    shortcut_index <= pixel_last ? 0 : shortcut_index + {{WORD_BITS-1{1'b0}}, shortcut_full};
                    shortcut_unit  <= pixel_last ? 0 : shortcut_full ? shortcut_rest[2:0] : shortcut_next[2:0];
                end
            end
        end
    end

    // ---- Cycle 3: word and weights; TO_SUM: their sums; one later accumulators; LATENCY: outputs ----
    wire [8*TO-1:0] shortcut_now, shortcut;
    wire [16*V-1:0] shortcut_shifted = shortcuts >> (8 * UNIT * shortcut_place_2);
    assign shortcut_now = shortcut_shifted[8*TO-1:0];
    etn_delay #(.WIDTH(8*TO), .CYCLES(TO_SUM - 2)) shortcut_delay (.clk(clk), .in(shortcut_now), .out(shortcut));
    etn_delay #(.WIDTH(CHANNEL_ADDRESS), .CYCLES(TO_SUM - 3)) channel_delay (
        .clk(clk), .in(channel), .out(channel_address));

    assign t_valid = lasts[LATENCY-3];
    assign q_valid = lasts[LATENCY-1];
    assign q_last  = ends[LATENCY-1];

    wire [8*V-1:0]   word_late;
    wire [16*TO-1:0] sums;
    etn_skew #(.V(V)) skew (.clk(clk), .in(word), .out(word_late));

    wire [17:0] once, thrice, minus;
    etn_multiples multiples (.clk(clk), .multiplier(shortcut_multiplier), .once(once), .thrice(thrice), .minus(minus));

    genvar o;
    generate
        for (o = 0; o < TO; o = o + 2) begin : pairs
            etn_pair #(.V(V), .PRODUCT_BITS(PRODUCT_BITS)) pair (
                .clk(clk), .bytes(word_late), .weights_0(weights[4*V*o +: 4*V]), .weights_1(weights[4*V*(o+1) +: 4*V]),
                .sum_0(sums[16*o +: 16]), .sum_1(sums[16*(o+1) +: 16]));
        end
        for (o = 0; o < TO; o = o + 1) begin : outputs
            wire [CHANNEL_BITS-1:0]     parameters = channels[CHANNEL_BITS*o +: CHANNEL_BITS];
            wire [BIAS_BITS-1:0]        bias       = parameters[16 + OFFSET_BITS +: BIAS_BITS];
            wire [15:0]                 sum        = sums[16*o +: 16];
            wire signed [ACC_BITS-1:0]  bias_wide  = {{ACC_BITS-BIAS_BITS{bias[BIAS_BITS-1]}}, bias};
            reg  signed [ACC_BITS-1:0]  acc;
            always @(posedge clk)
                acc <= (firsts[TO_SUM-1] ? bias_wide : acc) + {{ACC_BITS-16{sum[15]}}, sum};

            etn_requant #(.ACC_BITS(ACC_BITS), .OFFSET_BITS(OFFSET_BITS), .DOWN_LEAST(DOWN_LEAST), .DOWN_BITS(DOWN_BITS),
                          .PRODUCT_BITS(PRODUCT_BITS)) requant (
                .clk(clk), .relu(relu), .down(down), .shortcut_1(once), .shortcut_3(thrice),
                .shortcut_minus_1(minus), .low(low), .acc(acc), .multiplier(parameters[15:0]),
                .offset(parameters[16 +: OFFSET_BITS]),
                .shortcut(shortcut[8*o +: 8]), .t(t[32*o +: 32]), .q(q[8*o +: 8]));
        end
    endgenerate
endmodule

`default_nettype wire
