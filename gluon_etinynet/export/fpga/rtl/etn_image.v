// Pixels of a picture, row by row -> the 27 values under each window of the stem's convolution (3x3, stride 2,
// padding 1), as words of V: channel by channel, in each row by row.
`default_nettype none

module etn_image #(
    parameter V         = 24,
    parameter LINE_BITS = 8,
    parameter SIDE_BITS = 10,
    parameter STYLE     = "distributed"  // of the lines
) (
    input  wire                 clk,
    input  wire                 clear,
    input  wire                 active,

    input  wire [SIDE_BITS-1:0] width,
    input  wire [SIDE_BITS-1:0] height,
    input  wire [SIDE_BITS-1:0] last_y,
    input  wire [7:0]           padding,

    input  wire                 pixel_valid,
    output wire                 pixel_ready,
    output wire                 complete,   // the whole picture has arrived
    input  wire [7:0]           pixel_r,
    input  wire [7:0]           pixel_g,
    input  wire [7:0]           pixel_b,

    input  wire                 room,       // for the words of a window
    output wire                 reserve,
    output wire                 push,
    output wire [8*V-1:0]       push_word
);
    localparam WORDS = (27 + V - 1) / V, LAST = WORDS - 1, INDEX_BITS = WORDS > 2 ? 2 : 1;

    wire                  window_begins, window_valid;
    wire                  unused_group, unused_early;
    wire [215:0]          taps;
    reg  [INDEX_BITS-1:0] due;    // words of the window that began last, whose places are still to be reserved
    reg  [INDEX_BITS-1:0] index;

    // The network's input is pixel - 128: the highest bit turned. The next window begins when all places of the one
    // before were reserved: that leaves the time to push its words.
    etn_window #(.WIDTH(24), .LINE_BITS(LINE_BITS), .GROUP_BITS(1), .SIDE_BITS(SIDE_BITS), .STYLE(STYLE)) window (
        .clk(clk), .clear(clear), .active(active),
        .width(width), .height(height), .last_y(last_y), .stride_2(1'b1),
        .last_group(1'b0), .padding({3{padding}}),
        .in_valid(pixel_valid), .in_ready(pixel_ready), .in_word({pixel_b, pixel_g, pixel_r} ^ 24'h808080),
        .in_group(unused_group), .in_complete(complete),
        .room(room && due == 0), .reserve(window_begins),
        .early_group(unused_early), .out_valid(window_valid), .out_taps(taps));

    // A word more than there is, so that something is left after the first.
    wire [8*V*(WORDS+1)-1:0] values;
    reg  [8*V*WORDS-1:0]     rest;
    genvar channel, tap;
    generate
        for (channel = 0; channel < 3; channel = channel + 1) begin : channels
            for (tap = 0; tap < 9; tap = tap + 1) begin : order
                assign values[8*(9*channel+tap) +: 8] = taps[24*tap + 8*channel +: 8];
            end
        end
        assign values[8*V*(WORDS+1)-1:216] = 0;
    endgenerate

    assign reserve   = window_begins || due != 0;
    assign push      = window_valid || index != 0;
    assign push_word = window_valid ? values[0 +: 8*V] : rest[0 +: 8*V];

    always @(posedge clk) begin
        rest <= window_valid ? values[8*V +: 8*V*WORDS] : rest >> 8 * V;
        if (clear) begin
            due   <= 0;
            index <= 0;
        end else begin
            if (window_begins) due <= LAST[INDEX_BITS-1:0];
            else if (due != 0) due <= due - 1'b1;
            if (push) index <= index == LAST[INDEX_BITS-1:0] ? 0 : index + 1'b1;
        end
    end
endmodule

`default_nettype wire
