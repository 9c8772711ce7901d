// Pixels of a picture, row by row -> the 27 values under each window of the stem's convolution (3x3, stride 2,
// padding 1), as words of V: channel by channel, in each row by row.
`default_nettype none

module etn_image #(
    parameter V         = 24,
    parameter LINE_BITS = 8,
    parameter SIDE_BITS = 10
) (
    input  wire                 clk,
    input  wire                 clear,
    input  wire                 active,

    input  wire [SIDE_BITS-1:0] width,
    input  wire [SIDE_BITS-1:0] height,
    input  wire [SIDE_BITS-1:0] last_x,
    input  wire [SIDE_BITS-1:0] last_y,
    input  wire [7:0]           padding,

    input  wire                 pixel_valid,
    output wire                 pixel_ready,
    output wire                 complete,   // the whole picture has arrived
    input  wire [7:0]           pixel_r,
    input  wire [7:0]           pixel_g,
    input  wire [7:0]           pixel_b,

    input  wire                 room,
    output wire                 push,    // also reserves
    output wire [8*V-1:0]       push_word
);
    localparam WORDS = (27 + V - 1) / V, LAST = WORDS - 1;

    wire         window_valid, unused_group;
    wire [215:0] taps;
    reg  [2:0]   index;
    wire         last = index == LAST[2:0];

    // The network's input is pixel - 128: the highest bit turned.
    etn_window #(.WIDTH(24), .LINE_BITS(LINE_BITS), .GROUP_BITS(1), .SIDE_BITS(SIDE_BITS)) window (
        .clk(clk), .clear(clear), .active(active),
        .width(width), .height(height), .last_x(last_x), .last_y(last_y), .stride_2(1'b1),
        .last_group(1'b0), .padding({3{padding}}),
        .in_valid(pixel_valid), .in_ready(pixel_ready), .in_word({pixel_b, pixel_g, pixel_r} ^ 24'h808080),
        .in_complete(complete),
        .out_valid(window_valid), .out_ready(push && last), .out_taps(taps), .out_group(unused_group));

    wire [8*V*WORDS-1:0] values;
    genvar channel, tap;
    generate
        for (channel = 0; channel < 3; channel = channel + 1) begin : channels
            for (tap = 0; tap < 9; tap = tap + 1) begin : order
                assign values[8*(9*channel+tap) +: 8] = taps[24*tap + 8*channel +: 8];
            end
        end
        if (V * WORDS > 27) begin : rest
            assign values[8*V*WORDS-1:216] = 0;
        end
    endgenerate

    assign push      = window_valid && room;
    assign push_word = values[8*V*index +: 8*V];

    always @(posedge clk)
        if (clear)     index <= 0;
        else if (push) index <= last ? 0 : index + 1'b1;
endmodule

`default_nettype wire
