// A map that arrives row by row -> the 3x3 windows of a convolution with padding 1.
// A pixel is `groups` words, one after the other. The walk takes one word a step: columns 0..width of rows 0..last_y,
// of which the map does not have the column `width`, which is the padding right of a row and left of the next, nor the
// row `height`: these are not waited for. The row before the one that arrives is kept in `line_1`, the one before that
// in `line_2`; of each group of channels the two columns before in `column_1` and `column_2`.
// Nothing waits behind a step: a step that makes a window needs `room` and says `reserve`, and five cycles later the
// window is there, for a cycle. Tap (row r, column s) is word r * 3 + s of `out_taps`.
`default_nettype none

module etn_window #(
    parameter WIDTH      = 96,  // bits of a word
    parameter LINE_BITS  = 8,   // a row and its padding have at most 2^LINE_BITS words
    parameter GROUP_BITS = 5,   // a pixel has at most 2^GROUP_BITS
    parameter SIDE_BITS  = 10,
    parameter STYLE      = "distributed"  // of the lines
) (
    input  wire                  clk,
    input  wire                  clear,     // forget everything; begin the walk if `active`
    input  wire                  active,

    input  wire [SIDE_BITS-1:0]  width,
    input  wire [SIDE_BITS-1:0]  height,
    input  wire [SIDE_BITS-1:0]  last_y,
    input  wire                  stride_2,
    input  wire [GROUP_BITS-1:0] last_group,
    input  wire [WIDTH-1:0]      padding,

    input  wire                  in_valid,
    output wire                  in_ready,
    input  wire [WIDTH-1:0]      in_word,
    output reg  [GROUP_BITS-1:0] in_group,     // of the word that the walk takes next
    output reg                   in_complete,  // the whole map has arrived

    input  wire                  room,
    output wire                  reserve,
    output wire [GROUP_BITS-1:0] early_group,  // four cycles before its window
    output reg                   out_valid,
    output wire [9*WIDTH-1:0]    out_taps
);
    // ---- The walk ----
    reg                  running, beside, below, pads, makes, row_makes;  // pads: beside or below
    reg [SIDE_BITS-1:0]  x, y;
    reg [LINE_BITS-1:0]  place;

    // Registers, because everything waits for what is compared with them; they are known when the walk begins.
    reg                  group_ends, one_group;
    reg [GROUP_BITS-1:0] before_last;
    reg [SIDE_BITS-1:0]  before_width, before_height;

    wire                 go_on      = running && (room || !makes);
    wire                 step       = go_on && (in_valid || pads);
    wire                 row_ends   = beside && group_ends;
    wire                 last_x     = x == before_width;
    wire                 last_row   = y == before_height;

    assign in_ready = go_on && !pads;
    assign reserve  = step && makes;

    always @(posedge clk) begin
        one_group     <= last_group == 0;
        before_last   <= last_group - 1'b1;
        before_width  <= width - 1'b1;
        before_height <= height - 1'b1;
        if (clear) begin
            running     <= active;
            beside      <= 0;
            below       <= 0;
            pads        <= 0;
            makes       <= 0;
            row_makes   <= 0;
            x           <= 0;
            y           <= 0;
            in_group    <= 0;
            group_ends  <= one_group;
            place       <= 0;
            in_complete <= 0;
        end else if (step) begin
            in_group   <= group_ends ? 0 : in_group + 1'b1;
            group_ends <= group_ends ? one_group : in_group == before_last;
            place      <= row_ends ? 0 : place + 1'b1;
            if (row_ends) begin
                x         <= 0;
                beside    <= 0;
                makes     <= 0;
                y         <= y + 1'b1;
                below     <= last_row;
                pads      <= last_row;
                row_makes <= !stride_2 || !y[0];
                running   <= y != last_y;
            end else if (group_ends) begin
                x      <= x + 1'b1;
                beside <= last_x;
                pads   <= last_x || below;
                makes  <= row_makes && (!stride_2 || !x[0]);
                if (last_x && last_row) in_complete <= 1;
            end
        end
    end

    // ---- Cycle 1: what arrives; 2: the row above; 3: the one above that ----
    reg  [3:0]           steps, makings;
    reg  [WIDTH-1:0]     bottom_1, bottom_2, bottom_3, middle_3;
    wire [WIDTH-1:0]     middle_2, top_3;
    reg  [LINE_BITS-1:0] place_1, place_2;
    reg                  first_row_1, first_row_2, first_row_3;  // what is above is padding
    wire [WIDTH-1:0]     middle = first_row_2 ? padding : middle_2;

    etn_line #(.WIDTH(WIDTH), .ADDRESS_BITS(LINE_BITS), .STYLE(STYLE)) line_1 (
        .clk(clk), .next_address(place), .address(place_1), .write(steps[0]), .in(bottom_1), .out(middle_2));
    etn_line #(.WIDTH(WIDTH), .ADDRESS_BITS(LINE_BITS), .STYLE(STYLE)) line_2 (
        .clk(clk), .next_address(place_1), .address(place_2), .write(steps[1]), .in(middle), .out(top_3));

    // ---- Cycle 4: the column before; 5: the one before that ----
    (* ram_style = "distributed" *) reg [3*WIDTH-1:0] column_1 [0:(1<<GROUP_BITS)-1];
    (* ram_style = "distributed" *) reg [3*WIDTH-1:0] column_2 [0:(1<<GROUP_BITS)-1];
    reg  [3*WIDTH-1:0]    right_4, right_5, centre_4, centre_5, left_5;
    reg  [GROUP_BITS-1:0] group_1, group_2, group_3, group_4;
    wire [3*WIDTH-1:0]    right = {bottom_3, middle_3, first_row_3 ? padding : top_3};

    always @(posedge clk) begin
        bottom_1    <= pads ? padding : in_word;
        place_1     <= place;
        group_1     <= in_group;
        first_row_1 <= y == 0;

        bottom_2    <= bottom_1;
        place_2     <= place_1;
        group_2     <= group_1;
        first_row_2 <= first_row_1;

        middle_3    <= middle;
        bottom_3    <= bottom_2;
        group_3     <= group_2;
        first_row_3 <= first_row_2;

        if (steps[2]) column_1[group_3] <= right;
        centre_4 <= column_1[group_3];
        right_4  <= right;
        group_4  <= group_3;

        if (steps[3]) column_2[group_4] <= centre_4;
        left_5   <= column_2[group_4];
        centre_5 <= centre_4;
        right_5  <= right_4;

        if (clear) begin
            steps     <= 0;
            makings   <= 0;
            out_valid <= 0;
        end else begin
            steps     <= {steps[2:0], step};
            makings   <= {makings[2:0], reserve};
            out_valid <= makings[3];
        end
    end

    assign early_group = group_1;
    assign out_taps    = {right_5[2*WIDTH +: WIDTH], centre_5[2*WIDTH +: WIDTH], left_5[2*WIDTH +: WIDTH],
                          right_5[WIDTH +: WIDTH],   centre_5[WIDTH +: WIDTH],   left_5[WIDTH +: WIDTH],
                          right_5[0 +: WIDTH],       centre_5[0 +: WIDTH],       left_5[0 +: WIDTH]};
endmodule

`default_nettype wire
