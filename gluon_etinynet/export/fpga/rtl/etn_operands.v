// The pixels that the pointwise unit works on: a ring of words, each pixel of `count` words read as often as there are
// groups of outputs, then released. Of each word the shortcut's word is kept beside it, in a ring of fewer places.
`default_nettype none

module etn_operands #(
    parameter V             = 24,
    parameter DEPTH_BITS    = 7,
    parameter SHORTCUT_BITS = 5
) (
    input  wire                     clk,
    input  wire                     clear,
    input  wire                     with_shortcut,  // no more words than there are places for shortcuts

    output reg                      room,           // for all words of a window of the stem, or for one of a pixel
    input  wire                     reserve,        // asks of `room` are two cycles apart at least
    input  wire                     push,
    input  wire [8*V-1:0]           push_word,
    input  wire [8*V-1:0]           push_shortcut,

    output reg                      whole,          // a pixel waits, all words of it
    input  wire                     release_pixel,  // which is known late in a cycle
    input  wire [SHORTCUT_BITS-1:0] last_word,      // of a pixel; a register before `clear`
    input  wire [SHORTCUT_BITS-1:0] word_index,
    output wire [8*V-1:0]           word,           // three cycles after its index
    input  wire [SHORTCUT_BITS-1:0] shortcut_index,
    output reg  [16*V-1:0]          shortcuts       // the word at the index and the one after it, two cycles later
);
    localparam COUNT_BITS = DEPTH_BITS + 2;  // with a sign

    (* ram_style = "distributed" *) reg [8*V-1:0] shortcut_words [0:(1<<SHORTCUT_BITS)-1];
    reg [DEPTH_BITS-1:0]    head, tail, place;
    reg [SHORTCUT_BITS:0]   size;
    reg [SHORTCUT_BITS-1:0] arriving, first, second;
    reg                     pushed, pushed_last, reserves;
    reg [8*V-1:0]           pushed_word, pushed_shortcut;

    // Whole pixels; places that are left, less those that `room` demands, and those that were released just now.
    reg  [DEPTH_BITS:0]   pixels;
    reg  [COUNT_BITS-1:0] places, released;
    wire [COUNT_BITS-1:0] wide_size  = {{COUNT_BITS-SHORTCUT_BITS-1{1'b0}}, size};
    wire [COUNT_BITS-1:0] new_places = places + released - {{COUNT_BITS-1{1'b0}}, reserves};
    wire                  completes  = pushed && pushed_last;

    etn_ram #(.WIDTH(8*V), .DEPTH(1 << DEPTH_BITS), .ADDRESS_BITS(DEPTH_BITS)) words (
        .clk(clk), .write(pushed), .write_address(tail), .write_data(pushed_word),
        .read_address(place), .read_data(word));

    always @(posedge clk) begin
        size            <= {1'b0, last_word} + 1'b1;
        pushed_word     <= push_word;
        pushed_shortcut <= push_shortcut;
        pushed_last     <= arriving == last_word;
        if (pushed) shortcut_words[tail[SHORTCUT_BITS-1:0]] <= pushed_shortcut;

        place     <= head + {{DEPTH_BITS-SHORTCUT_BITS{1'b0}}, word_index};
        first     <= head[SHORTCUT_BITS-1:0] + shortcut_index;
        second    <= head[SHORTCUT_BITS-1:0] + shortcut_index + 1'b1;
        shortcuts <= {shortcut_words[second], shortcut_words[first]};
        if (clear) begin
            head     <= 0;
            tail     <= 0;
            arriving <= 0;
            pushed   <= 0;
            pixels   <= 0;
            whole    <= 0;
            released <= 0;
            reserves <= 0;
            places   <= with_shortcut ? (1 << SHORTCUT_BITS) - 1 : (1 << DEPTH_BITS) - 5;
            room     <= 1;
        end else begin
            head     <= release_pixel ? head + wide_size[DEPTH_BITS-1:0] : head;
            tail     <= tail + {{DEPTH_BITS-1{1'b0}}, pushed};
            pushed   <= push;
            if (push) arriving <= arriving == last_word ? 0 : arriving + 1'b1;
            pixels   <= pixels + {{DEPTH_BITS{1'b0}}, completes} - {{DEPTH_BITS{1'b0}}, release_pixel};
            whole    <= completes || (whole && !(release_pixel && pixels == 1));
            released <= release_pixel ? wide_size : 0;
            reserves <= reserve;
            places   <= new_places;
            room     <= !new_places[COUNT_BITS-1];
        end
    end
endmodule

`default_nettype wire
