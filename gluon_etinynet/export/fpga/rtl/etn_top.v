// EtinyNet from pixels to logits, the whole network in on-chip memory (docs/fpga.md).
//
//     pixels -> etn_image ---+                    +-> etn_pool ------------------+
//     memory -> etn_dw (1) --+-> etn_pw -> queue -+-> etn_dw (2) -> etn_gap      +-> memory
//     etn_gap ---------------+      |                       +--------------------+
//                                   +-> etn_logits -> etn_topk
//
// The words that depend on the network are in etn_config.vh, which the exporter writes.
`default_nettype none
`include "etn_config.vh"

module etn_top #(
    parameter V    = `ETN_V,
    parameter TO   = `ETN_TO,
    parameter TOP  = `ETN_TOP
) (
    input  wire              clk,
    input  wire              rst,           // synchronous; afterwards the ROMs are checked, a cycle a word

    // Pixels, row by row from the top left, 0..255. One is taken in each cycle in which valid and ready are high.
    input  wire              pixel_valid,
    output wire              pixel_ready,
    input  wire              pixel_sof,     // with a picture's first pixel
    input  wire [7:0]        pixel_r,
    input  wire [7:0]        pixel_g,
    input  wire [7:0]        pixel_b,

    // Logits, class by class.
    output wire              logit_valid,
    input  wire              logit_ready,
    output wire              logit_last,
    output wire [15:0]       logit_class,
    output wire [31:0]       logit,

    // The classes of the largest logits, rank r in bits 16 r .. and 32 r .., from the cycle after `done` until the next
    // picture's begin.
    output wire              top_valid,
    output wire [16*TOP-1:0] top_classes,
    output wire [32*TOP-1:0] top_logits,

    output wire              ready,         // the ROMs were checked: a picture can begin
    output wire              busy,          // with a picture
    output wire              done,          // for a cycle: all logits of a picture were taken
    output wire [31:0]       cycles,        // of the picture under way, or of the last one
    output wire              error_rom,     // a ROM does not hold this network's words; until the next reset
    output wire              error_frame    // for a cycle: a picture was cut short by the next one's first pixel
);
    localparam SIDE = `ETN_SIDE_BITS, GROUP = `ETN_GROUP_BITS, ADDRESS = `ETN_MEMORY_BITS;
    localparam DOWN = `ETN_DOWN_BITS, LEAST = `ETN_DOWN_LEAST;
    localparam DW_GROUP = `ETN_DW_GROUP_BITS, PRODUCT = `ETN_PRODUCT_BITS;
    localparam ACC = `ETN_ACC_BITS, OFFSET = `ETN_OFFSET_BITS, BIAS = `ETN_BIAS_BITS;
    localparam STEM = 0, BLOCK = 1, HEAD = 2;

    // ---- The pass ----
    localparam PASS_BITS = `ETN_PASSES_ADDRESS_BITS + 1;
    wire [`ETN_PASSES_WIDTH-1:0] pass_word;
    wire [PASS_BITS-1:0]         pass;
    wire                         check, go, finished, pixel_drop, pixel_open, image_ready, image_complete;
    wire [6:0]                   checked, bad;

    wire [1:0]       op               = pass_word[`ETN_FIELD_OP];
    wire             clear            = go;
    reg              stem, block, head;  // known when `go` comes
    wire [GROUP-1:0] last_word        = pass_word[`ETN_FIELD_LAST_WORD];
    wire [GROUP-1:0] middle_last_word = pass_word[`ETN_FIELD_MIDDLE_LAST_WORD];

    always @(posedge clk) begin
        stem  <= op == STEM;
        block <= op == BLOCK;
        head  <= op == HEAD;
    end

    etn_seq #(.PASSES(`ETN_PASSES_DEPTH), .PASS_BITS(PASS_BITS)) seq (
        .clk(clk), .rst(rst), .check(check), .checked(&checked), .bad(|bad),
        .error_rom(error_rom), .error_frame(error_frame),
        .pixel_start(pixel_valid && pixel_sof), .pixel_taken(pixel_valid && pixel_ready), .stem(stem),
        .pixels_complete(image_complete), .pixel_drop(pixel_drop), .pixel_open(pixel_open),
        .pass(pass), .go(go), .finished(finished), .busy(busy), .done(done), .cycles(cycles));

    assign ready       = !check && !error_rom;
    assign pixel_ready = pixel_drop || (pixel_open && image_ready);

    // ---- ROMs ----
    wire [`ETN_POINTWISE_ADDRESS_BITS-1:0]          pw_weight_address;
    wire [`ETN_POINTWISE_WIDTH-1:0]                 pw_weights;
    wire [`ETN_POINTWISE_CHANNELS_ADDRESS_BITS-1:0] pw_channel_address;
    wire [`ETN_POINTWISE_CHANNELS_WIDTH-1:0]        pw_channels;
    wire [`ETN_DEPTHWISE_1_ADDRESS_BITS-1:0]        dw1_weight_address, dw1_channel_address;
    wire [`ETN_DEPTHWISE_1_WIDTH-1:0]               dw1_weights;
    wire [`ETN_DEPTHWISE_1_CHANNELS_WIDTH-1:0]      dw1_channels;
    wire [`ETN_DEPTHWISE_2_ADDRESS_BITS-1:0]        dw2_weight_address, dw2_channel_address;
    wire [`ETN_DEPTHWISE_2_WIDTH-1:0]               dw2_weights;
    wire [`ETN_DEPTHWISE_2_CHANNELS_WIDTH-1:0]      dw2_channels;

    etn_roms roms (
        .clk(clk), .rst(rst), .check(check), .checked(checked), .bad(bad),
        .passes_address(pass[PASS_BITS-2:0]), .passes_data(pass_word),
        .pointwise_address(pw_weight_address), .pointwise_data(pw_weights),
        .pointwise_channels_address(pw_channel_address), .pointwise_channels_data(pw_channels),
        .depthwise_1_address(dw1_weight_address), .depthwise_1_data(dw1_weights),
        .depthwise_1_channels_address(dw1_channel_address), .depthwise_1_channels_data(dw1_channels),
        .depthwise_2_address(dw2_weight_address), .depthwise_2_data(dw2_weights),
        .depthwise_2_channels_address(dw2_channel_address), .depthwise_2_channels_data(dw2_channels));

    // ---- The activation memory ----
    reg                 write;
    reg  [ADDRESS-1:0]  write_address;
    reg  [8*V-1:0]      write_data;
    wire [ADDRESS-1:0]  read_address;
    wire [8*V-1:0]      read_data;
    wire                x_valid, x_ready;
    wire [8*V-1:0]      x_word;

    etn_ram #(.WIDTH(8*V), .DEPTH(`ETN_MEMORY_DEPTH), .ADDRESS_BITS(ADDRESS)) memory (
        .clk(clk), .write(write), .write_address(write_address), .write_data(write_data),
        .read_address(read_address), .read_data(read_data));

    etn_reader #(.WIDTH(8*V), .ADDRESS_BITS(ADDRESS)) reader (
        .clk(clk), .clear(clear), .active(block),
        .base(pass_word[`ETN_FIELD_SOURCE]), .words(pass_word[`ETN_FIELD_SOURCE_WORDS]),
        .address(read_address), .data(read_data), .out_valid(x_valid), .out_word(x_word), .out_ready(x_ready));

    // ---- What the pointwise unit takes: of the three only that of the pass reserves and gives ----
    wire           in_room, image_reserve, image_push, dw1_reserve, dw1_valid, gap_reserve, gap_valid;
    wire [8*V-1:0] image_word, dw1_word, dw1_centre, gap_word;

    etn_image #(.V(V), .LINE_BITS(`ETN_IMAGE_LINE_BITS), .SIDE_BITS(SIDE), .STYLE(`ETN_LINES)) image (
        .clk(clk), .clear(clear), .active(stem),
        .width(pass_word[`ETN_FIELD_WIDTH]), .height(pass_word[`ETN_FIELD_HEIGHT]),
        .last_y(pass_word[`ETN_FIELD_LAST_Y]), .padding(pass_word[`ETN_FIELD_PADDING_1]),
        .pixel_valid(pixel_valid && pixel_open), .pixel_ready(image_ready), .complete(image_complete),
        .pixel_r(pixel_r), .pixel_g(pixel_g), .pixel_b(pixel_b),
        .room(in_room), .reserve(image_reserve), .push(image_push), .push_word(image_word));

    etn_dw #(.V(V), .LINE_BITS(`ETN_LINE_1_BITS), .GROUP_BITS(DW_GROUP), .SIDE_BITS(SIDE), .ACC_BITS(ACC),
             .OFFSET_BITS(OFFSET), .BIAS_BITS(BIAS), .DOWN_LEAST(LEAST), .DOWN_BITS(DOWN),
             .PRODUCT_BITS(PRODUCT), .ADDRESS_BITS(`ETN_DEPTHWISE_1_ADDRESS_BITS),
             .STYLE(`ETN_LINES), .SHORTCUT(0)) dw1 (
        .clk(clk), .clear(clear), .active(block),
        .width(pass_word[`ETN_FIELD_WIDTH]), .height(pass_word[`ETN_FIELD_HEIGHT]),
        .last_y(pass_word[`ETN_FIELD_LAST_Y]), .stride_2(pass_word[`ETN_FIELD_STRIDE_2]),
        .last_group(last_word[DW_GROUP-1:0]),
        .padding(pass_word[`ETN_FIELD_PADDING_1]), .base(pass_word[`ETN_FIELD_DEPTHWISE_1]),
        .relu(pass_word[`ETN_FIELD_RELU_1]), .down(pass_word[`ETN_FIELD_DOWN_1]),
        .shortcut_multiplier(16'd0), .low(pass_word[`ETN_FIELD_LOW_1]),
        .weight_address(dw1_weight_address), .weights(dw1_weights),
        .channel_address(dw1_channel_address), .channels(dw1_channels),
        .in_valid(x_valid), .in_ready(x_ready), .in_word(x_word),
        .room(in_room), .reserve(dw1_reserve), .out_valid(dw1_valid), .out_word(dw1_word), .out_centre(dw1_centre));

    // ---- Pointwise ----
    wire             group_room, group_reserve, word_reserve, t_valid, q_valid, q_last, packed_valid;
    wire             queue_room, logits_room, p_valid, p_pop, dw2_ready;
    wire [32*TO-1:0] t;
    wire [8*TO-1:0]  q;
    wire [8*V-1:0]   packed_word, p_word;

    assign group_room = head ? logits_room : queue_room;
    assign p_pop      = p_valid && (stem || dw2_ready);

    etn_pw #(.V(V), .TO(TO), .WORD_BITS(GROUP), .GROUP_BITS(`ETN_PW_GROUP_BITS), .PIXEL_BITS(`ETN_OPERAND_BITS),
             .ACC_BITS(ACC), .OFFSET_BITS(OFFSET), .BIAS_BITS(BIAS), .DOWN_LEAST(LEAST), .DOWN_BITS(DOWN),
             .PRODUCT_BITS(PRODUCT), .WEIGHT_BITS(`ETN_POINTWISE_ADDRESS_BITS),
             .CHANNEL_ADDRESS(`ETN_POINTWISE_CHANNELS_ADDRESS_BITS)) pw (
        .clk(clk), .clear(clear),
        .last_word(pass_word[`ETN_FIELD_LAST_WORD]), .last_group(pass_word[`ETN_FIELD_PW_LAST_GROUP]),
        .weight_base(pass_word[`ETN_FIELD_POINTWISE]), .channel_base(pass_word[`ETN_FIELD_POINTWISE_CHANNELS]),
        .relu(pass_word[`ETN_FIELD_RELU_PW]), .down(pass_word[`ETN_FIELD_DOWN_PW]), .with_shortcut(block),
        .shortcut_multiplier(pass_word[`ETN_FIELD_SHORTCUT_PW]), .low(pass_word[`ETN_FIELD_LOW_PW]),
        .in_room(in_room), .in_reserve(image_reserve || dw1_reserve || gap_reserve),
        .in_push(image_push || dw1_valid || gap_valid),
        .in_word(dw1_valid ? dw1_word : gap_valid ? gap_word : image_word), .in_shortcut(dw1_centre),
        .weight_address(pw_weight_address), .weights(pw_weights),
        .channel_address(pw_channel_address), .channels(pw_channels),
        .room(group_room), .reserve(group_reserve), .reserve_word(word_reserve),
        .t_valid(t_valid), .t(t), .q_valid(q_valid), .q_last(q_last), .q(q));

    etn_pack #(.V(V), .TO(TO)) pack (
        .clk(clk), .clear(clear), .in_valid(q_valid && !head), .in_last(q_last), .in(q),
        .out_valid(packed_valid), .out_word(packed_word));

    etn_fifo #(.WIDTH(8*V), .DEPTH_BITS(5)) queue (
        .clk(clk), .clear(clear), .room(queue_room), .reserve(word_reserve && !head),
        .push(packed_valid), .push_data(packed_word), .valid(p_valid), .data(p_word), .pop(p_pop));

    // ---- What takes its outputs ----
    wire           pool_valid, dw2_valid, dw2_reserve;
    wire [8*V-1:0] pool_word, dw2_word, dw2_centre;

    etn_pool #(.V(V), .LINE_BITS(`ETN_POOL_LINE_BITS), .GROUP_BITS(GROUP), .SIDE_BITS(SIDE)) pool (
        .clk(clk), .clear(clear), .width(pass_word[`ETN_FIELD_MIDDLE_WIDTH]),
        .last_group(pass_word[`ETN_FIELD_MIDDLE_LAST_WORD]),
        .in_valid(p_pop && stem), .in_word(p_word), .out_valid(pool_valid), .out_word(pool_word));

    etn_dw #(.V(V), .LINE_BITS(`ETN_LINE_2_BITS), .GROUP_BITS(DW_GROUP), .SIDE_BITS(SIDE), .ACC_BITS(ACC),
             .OFFSET_BITS(OFFSET), .BIAS_BITS(BIAS), .DOWN_LEAST(LEAST), .DOWN_BITS(DOWN),
             .PRODUCT_BITS(PRODUCT), .ADDRESS_BITS(`ETN_DEPTHWISE_2_ADDRESS_BITS),
             .STYLE(`ETN_LINES)) dw2 (
        .clk(clk), .clear(clear), .active(block),
        .width(pass_word[`ETN_FIELD_MIDDLE_WIDTH]), .height(pass_word[`ETN_FIELD_MIDDLE_HEIGHT]),
        .last_y(pass_word[`ETN_FIELD_MIDDLE_HEIGHT]),
        .stride_2(1'b0), .last_group(middle_last_word[DW_GROUP-1:0]),
        .padding(pass_word[`ETN_FIELD_PADDING_2]), .base(pass_word[`ETN_FIELD_DEPTHWISE_2]),
        .relu(pass_word[`ETN_FIELD_RELU_2]), .down(pass_word[`ETN_FIELD_DOWN_2]),
        .shortcut_multiplier(pass_word[`ETN_FIELD_SHORTCUT_2]), .low(pass_word[`ETN_FIELD_LOW_2]),
        .weight_address(dw2_weight_address), .weights(dw2_weights),
        .channel_address(dw2_channel_address), .channels(dw2_channels),
        .in_valid(p_valid), .in_ready(dw2_ready), .in_word(p_word),
        .room(1'b1), .reserve(dw2_reserve), .out_valid(dw2_valid), .out_word(dw2_word), .out_centre(dw2_centre));

    etn_gap #(.V(V), .GROUP_BITS(GROUP), .SUM_BITS(`ETN_SUM_BITS), .OFFSET_BITS(24),
              .DOWN_LEAST(LEAST), .DOWN_BITS(DOWN), .PRODUCT_BITS(PRODUCT)) gap (
        .clk(clk), .clear(clear), .gather(block), .average(head),
        .last_group(head ? pass_word[`ETN_FIELD_LAST_WORD] : pass_word[`ETN_FIELD_MIDDLE_LAST_WORD]),
        .down(pass_word[`ETN_FIELD_DOWN_1]), .multiplier(pass_word[`ETN_FIELD_GAP_MULTIPLIER]),
        .offset(pass_word[`ETN_FIELD_GAP_OFFSET]),
        .in_valid(dw2_valid), .in_word(dw2_word),
        .room(in_room), .reserve(gap_reserve), .out_valid(gap_valid), .out_word(gap_word));

    etn_logits #(.TO(TO), .CLASSES(`ETN_CLASSES)) logits (
        .clk(clk), .clear(clear), .room(logits_room), .reserve(group_reserve && head),
        .push(t_valid && head), .push_logits(t),
        .logit_valid(logit_valid), .logit_ready(logit_ready), .logit_last(logit_last), .logit_class(logit_class),
        .logit(logit));

    etn_topk #(.K(TOP)) topk (
        .clk(clk), .clear(clear && head), .in_valid(logit_valid && logit_ready), .in_class(logit_class),
        .in_logit(logit), .classes(top_classes), .logits(top_logits));

    // ---- Results of a stem or block into the memory; the end of a pass ----
    // A stem ends with its last row before pooling, even if pooling drops that.
    reg [`ETN_RESULT_BITS-1:0] left;
    reg                        none_left, logits_taken, top_known;
    reg [2:0]                  pooled;  // that a word was taken, until its result can be there
    wire                       result = pool_valid || dw2_valid;

    wire                       counted = pooled[2] || dw2_valid;

    assign finished  = head ? logits_taken : none_left;
    assign top_valid = top_known;

    always @(posedge clk) begin
        write      <= !clear && result;
        pooled     <= clear ? 0 : {pooled[1:0], stem && p_pop};
        write_data <= dw2_valid ? dw2_word : pool_word;
        if (clear) begin
            write_address <= pass_word[`ETN_FIELD_TARGET] - 1'b1;
            left          <= pass_word[`ETN_FIELD_RESULTS];
            none_left     <= 0;
            logits_taken  <= 0;
        end else begin
            if (result) write_address <= write_address + 1'b1;
            if (counted) left <= left - 1'b1;
            if (counted && left == 1) none_left <= 1;
            if (logit_valid && logit_ready && logit_last) logits_taken <= 1;
        end
        if (rst || (go && head)) top_known <= 0;
        else if (done)           top_known <= 1;
    end
endmodule

`default_nettype wire
