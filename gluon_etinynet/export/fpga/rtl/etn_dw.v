// A depthwise 3x3 convolution of a map that arrives row by row, with requantisation and shortcut.
// A window of V channels takes two cycles, V / 2 lanes in each. Its shortcut is the window's centre.
// `out_word` comes 12 cycles after the last of the two, whether or not anybody waits for it: a place for it was
// reserved with `reserve`, while there was `room`.
`default_nettype none

module etn_dw #(
    parameter V            = 24,
    parameter LINE_BITS    = 7,
    parameter GROUP_BITS   = 4,
    parameter SIDE_BITS    = 10,
    parameter ACC_BITS     = 25,
    parameter OFFSET_BITS  = 20,
    parameter BIAS_BITS    = 16,
    parameter ADDRESS_BITS = 8,
    parameter SHORTCUT     = 1,  // 0: the window's centre is a later unit's shortcut and comes with the output
    parameter DOWN_LEAST   = 0,
    parameter DOWN_BITS    = 5,
    parameter LANES        = V / 2,
    parameter CHANNEL_BITS = 16 + OFFSET_BITS + BIAS_BITS
) (
    input  wire                          clk,
    input  wire                          clear,
    input  wire                          active,

    input  wire [SIDE_BITS-1:0]          width,
    input  wire [SIDE_BITS-1:0]          height,
    input  wire [SIDE_BITS-1:0]          last_x,
    input  wire [SIDE_BITS-1:0]          last_y,
    input  wire                          stride_2,
    input  wire [GROUP_BITS-1:0]         last_group,
    input  wire [7:0]                    padding,
    input  wire [ADDRESS_BITS-1:0]       base,
    input  wire                          relu,
    input  wire [DOWN_BITS-1:0]          down,
    input  wire [15:0]                   shortcut_multiplier,
    input  wire [7:0]                    low,

    // Both memories answer one cycle after the address.
    output wire [ADDRESS_BITS-1:0]       weight_address,
    input  wire [36*LANES-1:0]           weights,
    output wire [ADDRESS_BITS-1:0]       channel_address,
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
    localparam FROM_ISSUE = 10;  // cycles from a half of a window to its outputs

    wire                  window_valid, unused_complete;
    wire [72*V-1:0]       taps;
    wire [GROUP_BITS-1:0] group;
    reg                   half;
    wire                  issue = window_valid && (half || room);

    assign reserve = issue && !half;

    etn_window #(.WIDTH(8*V), .LINE_BITS(LINE_BITS), .GROUP_BITS(GROUP_BITS), .SIDE_BITS(SIDE_BITS)) window (
        .clk(clk), .clear(clear), .active(active),
        .width(width), .height(height), .last_x(last_x), .last_y(last_y), .stride_2(stride_2),
        .last_group(last_group), .padding({V{padding}}),
        .in_valid(in_valid), .in_ready(in_ready), .in_word(in_word), .in_complete(unused_complete),
        .out_valid(window_valid), .out_ready(issue && half), .out_taps(taps), .out_group(group));

    // ---- Cycle 0: a half of the window; 1: its weights; 5: sums; 6: accumulators ----
    wire [ADDRESS_BITS+GROUP_BITS:0] place = {{ADDRESS_BITS{1'b0}}, group, half};
    assign weight_address = base + place[ADDRESS_BITS-1:0];
    etn_delay #(.WIDTH(ADDRESS_BITS), .CYCLES(4)) address_delay (
        .clk(clk), .in(weight_address), .out(channel_address));

    reg  [FROM_ISSUE:0] issued, issued_half;
    wire [8*LANES-1:0]  centre_now, centre_sum, centre_out, outputs;
    reg  [8*LANES-1:0]  first_outputs, first_centre;

    always @(posedge clk) begin
        issued_half <= {issued_half[FROM_ISSUE-1:0], half};
        if (clear) begin
            half   <= 0;
            issued <= 0;
        end else begin
            if (issue) half <= !half;
            issued <= {issued[FROM_ISSUE-1:0], issue};
        end
    end

    assign centre_now = half ? taps[4*8*V + 8*LANES +: 8*LANES] : taps[4*8*V +: 8*LANES];
    generate
        if (SHORTCUT) begin : own
            etn_delay #(.WIDTH(8*LANES), .CYCLES(5)) delay (.clk(clk), .in(centre_now), .out(centre_sum));
            assign centre_out = 0;
        end else begin : anothers
            etn_delay #(.WIDTH(8*LANES), .CYCLES(11)) delay (.clk(clk), .in(centre_now), .out(centre_out));
            assign centre_sum = 0;
        end
    endgenerate

    wire [17:0] once, thrice, minus;
    etn_multiples multiples (.clk(clk), .multiplier(shortcut_multiplier), .once(once), .thrice(thrice), .minus(minus));

    genvar lane, k;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
            reg  [71:0] bytes;
            wire [71:0] bytes_now;
            for (k = 0; k < 9; k = k + 1) begin : tap
                assign bytes_now[8*k +: 8] = half ? taps[8*V*k + 8*(LANES + lane) +: 8] : taps[8*V*k + 8*lane +: 8];
            end
            always @(posedge clk) bytes <= bytes_now;

            wire signed [15:0] sum;
            etn_taps convolution (.clk(clk), .bytes(bytes), .weights(weights[36*lane +: 36]), .sum(sum));

            wire [CHANNEL_BITS-1:0]      channel = channels[CHANNEL_BITS*lane +: CHANNEL_BITS];
            wire [BIAS_BITS-1:0]         bias    = channel[16 + OFFSET_BITS +: BIAS_BITS];
            reg  signed [ACC_BITS-1:0]   acc;
            wire signed [31:0]           unused_t;
            always @(posedge clk)
                acc <= {{ACC_BITS-16{sum[15]}}, sum} + {{ACC_BITS-BIAS_BITS{bias[BIAS_BITS-1]}}, bias};

            etn_requant #(.ACC_BITS(ACC_BITS), .OFFSET_BITS(OFFSET_BITS), .SHORTCUT(SHORTCUT), .DOWN_LEAST(DOWN_LEAST),
                          .DOWN_BITS(DOWN_BITS)) requant (
                .clk(clk), .relu(relu), .down(down), .shortcut_1(once), .shortcut_3(thrice),
                .shortcut_minus_1(minus), .low(low), .acc(acc), .multiplier(channel[15:0]),
                .offset(channel[16 +: OFFSET_BITS]), .shortcut(centre_sum[8*lane +: 8]), .t(unused_t), .q(outputs[8*lane +: 8]));
        end
    endgenerate

    // ---- Cycle 11: outputs of a half; 12: two halves are a word ----
    always @(posedge clk) begin
        if (!issued_half[FROM_ISSUE]) begin
            first_outputs <= outputs;
            first_centre  <= centre_out;
        end
        out_word   <= {outputs, first_outputs};
        out_centre <= {centre_out, first_centre};
        out_valid  <= !clear && issued[FROM_ISSUE] && issued_half[FROM_ISSUE];
    end
endmodule

`default_nettype wire
