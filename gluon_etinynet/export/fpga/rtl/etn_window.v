// A map that arrives row by row -> the 3x3 windows of a convolution with padding 1.
// A pixel is `groups` words, one after the other. The two rows before the one that arrives are kept in two lines, and
// of each group of channels the two columns before. The walk is over columns -1..last_x of rows 0..last_y: columns
// and rows that the map does not have, where the convolution's windows reach beyond it, are not waited for.
// A window is held while `out_valid` is high, until `out_ready`. Tap (row r, column s) is word r * 3 + s of `out_taps`.
`default_nettype none

module etn_window #(
    parameter WIDTH      = 192,  // bits of a word
    parameter LINE_BITS  = 7,    // a row has at most 2^LINE_BITS words
    parameter GROUP_BITS = 4,    // a pixel has at most 2^GROUP_BITS
    parameter SIDE_BITS  = 10
) (
    input  wire                  clk,
    input  wire                  clear,     // forget everything; begin the walk if `active`
    input  wire                  active,

    input  wire [SIDE_BITS-1:0]  width,
    input  wire [SIDE_BITS-1:0]  height,
    input  wire [SIDE_BITS-1:0]  last_x,
    input  wire [SIDE_BITS-1:0]  last_y,
    input  wire                  stride_2,
    input  wire [GROUP_BITS-1:0] last_group,
    input  wire [WIDTH-1:0]      padding,

    input  wire                  in_valid,
    output wire                  in_ready,
    input  wire [WIDTH-1:0]      in_word,
    output reg                   in_complete,  // the whole map has arrived

    output reg                   out_valid,
    input  wire                  out_ready,
    output reg  [9*WIDTH-1:0]    out_taps,
    output reg  [GROUP_BITS-1:0] out_group
);
    // ---- The walk: one word of the three rows a step ----
    reg                  running;
    reg                  ahead;    // of the row's first column: padding
    reg [SIDE_BITS-1:0]  x, y;
    reg [GROUP_BITS-1:0] group;
    reg [LINE_BITS-1:0]  place;
    (* ram_style = "distributed" *) reg [WIDTH-1:0] line_1 [0:(1<<LINE_BITS)-1];  // the row above
    (* ram_style = "distributed" *) reg [WIDTH-1:0] line_2 [0:(1<<LINE_BITS)-1];  // the one above that

    reg                  column_valid, column_out;
    reg [GROUP_BITS-1:0] column_group;
    reg [WIDTH-1:0]      top, middle, bottom;

    wire beside      = ahead || x == width;
    wire below       = y == height;
    wire column_go   = !column_valid || !column_out || !out_valid || out_ready;
    wire step        = running && column_go && (in_valid || beside || below);
    wire row_ends    = !ahead && x == last_x && group == last_group;
    wire [WIDTH-1:0] above   = line_1[place];
    wire [WIDTH-1:0] above_2 = line_2[place];

    assign in_ready = running && column_go && !beside && !below;

    always @(posedge clk) begin
        if (step && !beside) begin
            line_1[place] <= in_word;
            line_2[place] <= above;
        end
        if (step) begin
            top          <= beside || y < 2 ? padding : above_2;
            middle       <= beside ? padding : above;
            bottom       <= beside || below ? padding : in_word;
            column_group <= group;
            column_out   <= !ahead && x != 0 && y != 0 && (!stride_2 || (x[0] && y[0]));
        end
        if (clear) begin
            running      <= active;
            ahead        <= 1;
            x            <= 0;
            y            <= 0;
            group        <= 0;
            place        <= 0;
            column_valid <= 0;
            in_complete  <= 0;
        end else begin
            if (in_ready && in_valid && x == width - 1'b1 && y == height - 1'b1 && group == last_group)
                in_complete <= 1;
            if (column_go) column_valid <= step;
            if (step) begin
                group <= group == last_group ? 0 : group + 1'b1;
                place <= row_ends ? 0 : place + {{LINE_BITS-1{1'b0}}, !ahead};
                if (group == last_group) begin
                    ahead <= row_ends;
                    x     <= row_ends || ahead ? 0 : x + 1'b1;
                end
                if (row_ends) begin
                    y <= y + 1'b1;
                    if (y == last_y) running <= 0;
                end
            end
        end
    end

    // ---- The window: the column that arrives and the two before it ----
    (* ram_style = "distributed" *) reg [3*WIDTH-1:0] column_1 [0:(1<<GROUP_BITS)-1];
    (* ram_style = "distributed" *) reg [3*WIDTH-1:0] column_2 [0:(1<<GROUP_BITS)-1];

    wire               column_leaves = column_valid && column_go;
    wire [3*WIDTH-1:0] right  = {bottom, middle, top};
    wire [3*WIDTH-1:0] centre = column_1[column_group];
    wire [3*WIDTH-1:0] left   = column_2[column_group];

    always @(posedge clk) begin
        if (column_leaves) begin
            column_1[column_group] <= right;
            column_2[column_group] <= centre;
        end
        if (column_leaves && column_out) begin
            out_taps  <= {right[2*WIDTH +: WIDTH], centre[2*WIDTH +: WIDTH], left[2*WIDTH +: WIDTH],
                          right[WIDTH +: WIDTH],   centre[WIDTH +: WIDTH],   left[WIDTH +: WIDTH],
                          right[0 +: WIDTH],       centre[0 +: WIDTH],       left[0 +: WIDTH]};
            out_group <= column_group;
        end
        if (clear)          out_valid <= 0;
        else if (column_go) out_valid <= (column_leaves && column_out) || (out_valid && !out_ready);
        else if (out_ready) out_valid <= 0;
    end
endmodule

`default_nettype wire
