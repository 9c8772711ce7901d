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
    input  wire [SHORTCUT_BITS:0]   count,
    input  wire [SHORTCUT_BITS-1:0] word_index,
    output wire [8*V-1:0]           word,           // three cycles after its index
    input  wire [SHORTCUT_BITS-1:0] shortcut_index,
    output wire [16*V-1:0]          shortcuts       // the word at the index and the one after it, one cycle later
);
    (* ram_style = "distributed" *) reg [8*V-1:0] shortcut_words [0:(1<<SHORTCUT_BITS)-1];
    reg [DEPTH_BITS-1:0]    head, tail, place;
    reg [DEPTH_BITS:0]      reserved, filled;
    reg                     reserves, released, pushed;
    reg [8*V-1:0]           pushed_word, pushed_shortcut;
    reg [SHORTCUT_BITS-1:0] first, second;

    wire [DEPTH_BITS:0] size    = {{DEPTH_BITS-SHORTCUT_BITS{1'b0}}, count};
    wire [DEPTH_BITS:0] to_come = reserved + {{DEPTH_BITS{1'b0}}, reserves} - (released ? size : 0);
    wire [DEPTH_BITS:0] to_work = filled + {{DEPTH_BITS{1'b0}}, pushed};

    assign shortcuts = {shortcut_words[second], shortcut_words[first]};

    etn_ram #(.WIDTH(8*V), .DEPTH(1 << DEPTH_BITS), .ADDRESS_BITS(DEPTH_BITS)) words (
        .clk(clk), .write(pushed), .write_address(tail), .write_data(pushed_word),
        .read_address(place), .read_data(word));

    always @(posedge clk) begin
        pushed_word     <= push_word;
        pushed_shortcut <= push_shortcut;
        if (pushed) shortcut_words[tail[SHORTCUT_BITS-1:0]] <= pushed_shortcut;

        place  <= head + {{DEPTH_BITS-SHORTCUT_BITS{1'b0}}, word_index};
        first  <= head[SHORTCUT_BITS-1:0] + shortcut_index;
        second <= head[SHORTCUT_BITS-1:0] + shortcut_index + 1'b1;
        if (clear) begin
            head     <= 0;
            tail     <= 0;
            pushed   <= 0;
            reserves <= 0;
            released <= 0;
            reserved <= 0;
            filled   <= 0;
            whole    <= 0;
            room     <= 1;
        end else begin
            head     <= release_pixel ? head + size[DEPTH_BITS-1:0] : head;
            tail     <= tail + {{DEPTH_BITS-1{1'b0}}, pushed};
            pushed   <= push;
            reserves <= reserve;
            released <= release_pixel;
            reserved <= to_come;
            room     <= with_shortcut ? to_come[DEPTH_BITS:SHORTCUT_BITS] == 0
                                      : !to_come[DEPTH_BITS] && !(&to_come[DEPTH_BITS-1:2]);
            filled   <= release_pixel ? to_work - size : to_work;
            whole    <= release_pixel ? to_work >= {size[DEPTH_BITS-1:0], 1'b0} : to_work >= size;
        end
    end
endmodule

`default_nettype wire
