// Max pooling 2x2 with stride 2 of a map that arrives row by row; what fills no window is dropped.
`default_nettype none

module etn_pool #(
    parameter V          = 24,
    parameter LINE_BITS  = 7,   // a row of the output has at most 2^LINE_BITS words
    parameter GROUP_BITS = 4,
    parameter SIDE_BITS  = 10
) (
    input  wire                  clk,
    input  wire                  clear,
    input  wire [SIDE_BITS-1:0]  width,
    input  wire [GROUP_BITS-1:0] last_group,
    input  wire                  in_valid,
    input  wire [8*V-1:0]        in_word,
    output reg                   out_valid,
    output reg  [8*V-1:0]        out_word
);
    (* ram_style = "distributed" *) reg [8*V-1:0] line [0:(1<<LINE_BITS)-1];  // the maxima so far

    // Words come two cycles apart at least: a maximum is in its place again when it is read.
    reg                  valid, valid_2, first_2, dropped_2, ends_2;
    reg [8*V-1:0]        word, word_2, so_far;
    reg [SIDE_BITS-1:0]  x, last_x;
    reg                  odd_row;
    reg [GROUP_BITS-1:0] group;
    reg [LINE_BITS-1:0]  place, place_2, pair;

    wire [8*V-1:0] largest;
    wire           row_ends = x == last_x && group == last_group;

    genvar c;
    generate
        for (c = 0; c < V; c = c + 1) begin : channel
            wire signed [7:0] a = so_far[8*c +: 8];
            wire signed [7:0] b = word_2[8*c +: 8];
            assign largest[8*c +: 8] = first_2 || b > a ? b : a;
        end
    endgenerate

    always @(posedge clk) begin
        last_x <= width - 1'b1;
        valid  <= !clear && in_valid;
        word   <= in_word;

        valid_2   <= !clear && valid;
        word_2    <= word;
        so_far    <= line[place];
        place_2   <= place;
        first_2   <= !odd_row && !x[0];
        dropped_2 <= width[0] && x == last_x;
        ends_2    <= odd_row && x[0];

        if (valid_2 && !dropped_2) line[place_2] <= largest;
        out_word  <= largest;
        out_valid <= !clear && valid_2 && ends_2;
        if (clear) begin
            x       <= 0;
            odd_row <= 0;
            group   <= 0;
            place   <= 0;
            pair    <= 0;
        end else if (valid) begin
            group <= group == last_group ? 0 : group + 1'b1;
            if (row_ends) begin
                x       <= 0;
                odd_row <= !odd_row;
                place   <= 0;
                pair    <= 0;
            end else if (group != last_group) begin
                place <= place + 1'b1;
            end else begin
                // The second column of a pair goes over the same places.
                x     <= x + 1'b1;
                place <= x[0] ? place + 1'b1 : pair;
                if (x[0]) pair <= place + 1'b1;
            end
        end
    end
endmodule

`default_nettype wire
