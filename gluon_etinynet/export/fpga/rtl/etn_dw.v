// A depthwise 3x3 convolution of a map that arrives row by row, with requantisation and shortcut.
// It works on halves of words, V / 2 channels a cycle. A window's shortcut is its centre.
// `out_word` comes whether or not anybody waits for it: a place for it was reserved with `reserve`, while there was
// `room`.
`default_nettype none

module etn_dw #(
    parameter V            = 24,
    parameter LINE_BITS    = 8,  // of halves of words
    parameter GROUP_BITS   = 4,
    parameter SIDE_BITS    = 10,
    parameter ACC_BITS     = 25,
    parameter OFFSET_BITS  = 20,
    parameter BIAS_BITS    = 16,
    parameter ADDRESS_BITS = 8,
    parameter STYLE        = "distributed",  // of the lines
    parameter SHORTCUT     = 1,  // 0: the window's centre is a later unit's shortcut and comes with the output
    parameter DOWN_LEAST   = 0,
    parameter DOWN_BITS    = 5,
    parameter PRODUCT_BITS = 25,
    parameter LANES        = V / 2,
    parameter CHANNEL_BITS = 16 + OFFSET_BITS + BIAS_BITS
) (
    input  wire                          clk,
    input  wire                          clear,
    input  wire                          active,

    input  wire [SIDE_BITS-1:0]          width,
    input  wire [SIDE_BITS-1:0]          height,
    input  wire [SIDE_BITS-1:0]          last_y,
    input  wire                          stride_2,
    input  wire [GROUP_BITS-1:0]         last_group,
    input  wire [7:0]                    padding,
    input  wire [ADDRESS_BITS-1:0]       base,
    input  wire                          relu,
    input  wire [DOWN_BITS-1:0]          down,
    input  wire [15:0]                   shortcut_multiplier,
    input  wire [7:0]                    low,

    output wire [ADDRESS_BITS-1:0]       weight_address,   // answered after three cycles
    input  wire [36*LANES-1:0]           weights,
    output wire [ADDRESS_BITS-1:0]       channel_address,  // answered after three, as well
    input  wire [CHANNEL_BITS*LANES-1:0] channels,

    input  wire                          in_valid,
    output wire                          in_ready,
    input  wire [8*V-1:0]                in_word,

    input  wire                          room,
    output wire                          reserve,
    output reg                           out_valid,
    output reg  [8*V-1:0]                out_word,
    output reg  [8*V-1:0]                out_centre
);
    localparam TO_OUTPUTS = 13;  // cycles from a half of a window to its outputs

    // ---- Words in halves; the first of a window reserves its place ----
    wire                  in_half_ready, window, half_reserve, unused_complete;
    wire [72*LANES-1:0]   taps;
    wire [GROUP_BITS:0]   in_group, early_group;

    assign in_ready = in_half_ready && in_group[0];
    assign reserve  = half_reserve && !in_group[0];

    etn_window #(.WIDTH(8*LANES), .LINE_BITS(LINE_BITS), .GROUP_BITS(GROUP_BITS + 1), .SIDE_BITS(SIDE_BITS),
                 .STYLE(STYLE)) windows (
        .clk(clk), .clear(clear), .active(active),
        .width(width), .height(height), .last_y(last_y), .stride_2(stride_2),
        .last_group({last_group, 1'b1}), .padding({LANES{padding}}),
        .in_valid(in_valid), .in_ready(in_half_ready),
        .in_word(in_group[0] ? in_word[8*LANES +: 8*LANES] : in_word[0 +: 8*LANES]),
        .in_group(in_group), .in_complete(unused_complete),
        .room(room || in_group[0]), .reserve(half_reserve),
        .early_group(early_group), .out_valid(window), .out_taps(taps));

    // ---- Cycle 0: a half of a window and its weights; 4: sums; 5: accumulators; 13: outputs ----
    reg  [ADDRESS_BITS-1:0]            place;
    wire [ADDRESS_BITS+GROUP_BITS:0]   group = {{ADDRESS_BITS{1'b0}}, early_group};
    always @(posedge clk) place <= base + group[ADDRESS_BITS-1:0];
    assign weight_address = place;
    etn_delay #(.WIDTH(ADDRESS_BITS), .CYCLES(4)) address_delay (.clk(clk), .in(place), .out(channel_address));

    reg  [TO_OUTPUTS-1:0] valid;
    wire                  second_half;
    wire [8*LANES-1:0]    centre_now = taps[4*8*LANES +: 8*LANES];
    wire [8*LANES-1:0]    centre_sum, centre_out, outputs;
    etn_delay #(.WIDTH(1), .CYCLES(TO_OUTPUTS + 4)) half_delay (.clk(clk), .in(early_group[0]), .out(second_half));

    always @(posedge clk)
        if (clear) valid <= 0;
        else       valid <= {valid[TO_OUTPUTS-2:0], window};

    generate
        if (SHORTCUT) begin : own
            etn_delay #(.WIDTH(8*LANES), .CYCLES(4)) delay (.clk(clk), .in(centre_now), .out(centre_sum));
            assign centre_out = 0;
        end else begin : anothers
            etn_delay #(.WIDTH(8*LANES), .CYCLES(TO_OUTPUTS)) delay (.clk(clk), .in(centre_now), .out(centre_out));
            assign centre_sum = 0;
        end
    endgenerate

    wire [17:0] once, thrice, minus;
    etn_multiples multiples (.clk(clk), .multiplier(shortcut_multiplier), .once(once), .thrice(thrice), .minus(minus));

    genvar lane, k;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
            wire [71:0] bytes;
            for (k = 0; k < 9; k = k + 1) begin : tap
                assign bytes[8*k +: 8] = taps[8*LANES*k + 8*lane +: 8];
            end

            wire signed [15:0] sum;
            etn_taps convolution (.clk(clk), .bytes(bytes), .weights(weights[36*lane +: 36]), .sum(sum));

            wire [CHANNEL_BITS-1:0]      channel = channels[CHANNEL_BITS*lane +: CHANNEL_BITS];
            wire [BIAS_BITS-1:0]         bias    = channel[16 + OFFSET_BITS +: BIAS_BITS];
            reg  signed [ACC_BITS-1:0]   acc;
            wire signed [31:0]           unused_t;
            always @(posedge clk)
                acc <= {{ACC_BITS-16{sum[15]}}, sum} + {{ACC_BITS-BIAS_BITS{bias[BIAS_BITS-1]}}, bias};

            etn_requant #(.ACC_BITS(ACC_BITS), .OFFSET_BITS(OFFSET_BITS), .SHORTCUT(SHORTCUT), .DOWN_LEAST(DOWN_LEAST),
                          .DOWN_BITS(DOWN_BITS), .PRODUCT_BITS(PRODUCT_BITS)) requant (
                .clk(clk), .relu(relu), .down(down), .shortcut_1(once), .shortcut_3(thrice),
                .shortcut_minus_1(minus), .low(low), .acc(acc), .multiplier(channel[15:0]),
                .offset(channel[16 +: OFFSET_BITS]), .shortcut(centre_sum[8*lane +: 8]), .t(unused_t),
                .q(outputs[8*lane +: 8]));
        end
    endgenerate

    // ---- Cycle 14: two halves are a word ----
    reg [8*LANES-1:0] first_outputs, first_centre;
    always @(posedge clk) begin
        first_outputs <= outputs;
        first_centre  <= centre_out;
        out_word      <= {outputs, first_outputs};
        out_centre    <= {centre_out, first_centre};
        out_valid     <= !clear && valid[TO_OUTPUTS-1] && second_half;
    end
endmodule

`default_nettype wire
