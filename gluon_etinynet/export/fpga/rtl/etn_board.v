// The core on a board: pictures come in over a serial line, the largest logits go out (docs/fpga.md, "On a board").
// A picture that did not arrive whole and unaltered is never answered with a class: the rest of it is thrown away until
// the line is silent, the core is reset, and the answer says what was wrong.
`default_nettype none
`include "etn_config.vh"

module etn_board #(
    parameter CLOCK   = `ETN_BOARD_CLOCK,  // Hz, below 2^28
    parameter BAUD    = 115200,            // at most CLOCK / 8
    parameter SILENCE = CLOCK / 2          // cycles after which nothing more is expected of a picture
) (
    input  wire clk,
    input  wire reset_n,    // a button
    input  wire uart_rx,
    output wire uart_tx,
    output wire led_ready,  // the ROMs were checked: pictures are taken
    output wire led_busy,   // with a picture
    output wire led_error   // the last picture was not computed, or a ROM does not hold its words
);
    localparam TOP = `ETN_TOP, PIXELS = `ETN_IMAGE_WIDTH * `ETN_IMAGE_HEIGHT;
    localparam IDLE = 0, PICTURE = 1, CHECKSUM = 2, COMPUTE = 3, DRAIN = 4, ANSWER = 5;

    // ---- From outside: nothing is known of its relation to the clock ----
    (* ASYNC_REG = "TRUE" *) reg [1:0] reset_sync = 2'b11;
    (* ASYNC_REG = "TRUE" *) reg [1:0] rx_sync    = 2'b11;
    wire rst  = reset_sync[1];
    wire line = rx_sync[1];

    always @(posedge clk) begin
        reset_sync <= {reset_sync[0], !reset_n};
        rx_sync    <= {rx_sync[0], uart_rx};
    end

    // ---- The line ----
    wire       rx_valid, rx_torn, tx_ready;
    wire [7:0] rx_data;
    reg  [2:0] state;

    etn_uart_rx #(.CLOCK(CLOCK), .BAUD(BAUD)) rx (
        .clk(clk), .rst(rst), .line(line), .valid(rx_valid), .torn(rx_torn), .data(rx_data));

    reg  [27:0] quiet;  // cycles since the line was low
    reg         silent;

    always @(posedge clk) begin
        silent <= !rst && line && quiet == SILENCE;
        if (rst || !line)          quiet <= 0;
        else if (quiet != SILENCE) quiet <= quiet + 1'b1;
    end

    // ---- The answer, from its low byte on: start, status, classes, logits, cycles; then the CRC-32 of these ----
    localparam WITH_CLASSES = 2 + 6 * TOP + 4, WITHOUT = 2;
    reg  [8*WITH_CLASSES-1:0] bytes;
    reg  [7:0]                bytes_left;
    reg                       sealed;  // the CRC-32 is among them
    reg                       was_sent;
    reg                       failed;
    wire                      tx_valid = state == ANSWER && bytes_left != 0 && !failed;
    wire                      sent = tx_valid && tx_ready;

    etn_uart_tx #(.CLOCK(CLOCK), .BAUD(BAUD)) tx (
        .clk(clk), .rst(rst), .valid(tx_valid), .ready(tx_ready), .data(bytes[7:0]), .line(uart_tx));

    // One CRC-32 serves both ways: the board does not listen while it answers.
    wire        taken = rx_valid && (state == PICTURE || state == CHECKSUM);
    reg         crc_valid;  // a byte is being added
    reg  [7:0]  crc_data;
    wire [31:0] crc;

    always @(posedge clk) begin
        crc_valid <= taken || sent;
        crc_data  <= sent ? bytes[7:0] : rx_data;
    end

    etn_crc32 crc32 (
        .clk(clk), .clear(state == IDLE || state == DRAIN || state == COMPUTE), .valid(crc_valid),
        .data(crc_data), .crc(crc));

    // ---- The core ----
    wire              pixel_ready, ready, done, error_rom;
    wire              unused_valid, unused_last, unused_top, unused_busy, unused_frame;
    wire [15:0]       unused_class;
    wire [31:0]       unused_logit, cycles;
    wire [16*TOP-1:0] top_classes;
    wire [32*TOP-1:0] top_logits;
    reg  [23:0]       pixel;
    reg               pixel_valid, pixel_first, core_rst;

    etn_top core (
        .clk(clk), .rst(core_rst), .pixel_valid(pixel_valid), .pixel_ready(pixel_ready), .pixel_sof(pixel_first),
        .pixel_r(pixel[7:0]), .pixel_g(pixel[15:8]), .pixel_b(pixel[23:16]),
        .logit_valid(unused_valid), .logit_ready(1'b1), .logit_last(unused_last), .logit_class(unused_class),
        .logit(unused_logit), .top_valid(unused_top), .top_classes(top_classes), .top_logits(top_logits),
        .ready(ready), .busy(unused_busy), .done(done), .cycles(cycles), .error_rom(error_rom),
        .error_frame(unused_frame));

    // ---- What can be wrong, in each state; it is acted on a cycle later ----
    reg        intact;  // the CRC-32 that came was right
    reg        more;    // something came before the last answer was given
    reg  [2:0] fault, fault_now;

    always @* begin
        fault_now = `ETN_STATUS_OK;
        case (state)
            IDLE: if (rx_valid) begin
                if (error_rom)                                fault_now = `ETN_STATUS_ROM;
                else if (more || !ready)                      fault_now = `ETN_STATUS_OVERRUN;
                else if (rx_torn || rx_data != `ETN_REQUEST)  fault_now = `ETN_STATUS_START;
            end else if (more)                                fault_now = `ETN_STATUS_OVERRUN;
            PICTURE, CHECKSUM:
                if (rx_valid && rx_torn)                      fault_now = `ETN_STATUS_STOP_BIT;
                else if (rx_valid && pixel_valid)             fault_now = `ETN_STATUS_OVERRUN;
                else if (silent)                              fault_now = `ETN_STATUS_TIMEOUT;
            COMPUTE: if (!intact)                             fault_now = `ETN_STATUS_CHECKSUM;
            default: ;
        endcase
    end

    // A core that waits for the rest of a picture, or computes one that is not right, starts anew.
    always @(posedge clk) begin
        fault    <= fault_now;
        failed   <= !rst && fault_now != `ETN_STATUS_OK;
        core_rst <= rst || fault_now != `ETN_STATUS_OK;
    end

    // ---- From state to state ----
    reg  [2:0]  status;
    reg  [23:0] places;    // pixels left, or bytes of the CRC-32
    reg  [1:0]  colour;
    reg         computed;
    reg  [31:0] arrived;   // cycle in which the core had the whole picture
    wire        last = places == 1;

    assign led_ready = ready;
    assign led_busy  = state != IDLE;
    assign led_error = status != `ETN_STATUS_OK || error_rom;

    always @(posedge clk) begin
        if (pixel_valid && pixel_ready) begin
            pixel_valid <= 0;
            pixel_first <= 0;
            arrived     <= cycles;
        end
        if (done) computed <= 1;
        was_sent <= sent;
        if (was_sent) bytes <= bytes >> 8;
        if (rx_valid && (state == COMPUTE || state == ANSWER)) more <= 1;

        if (rst) begin
            state       <= IDLE;
            status      <= `ETN_STATUS_OK;
            pixel_valid <= 0;
            more        <= 0;
        end else if (failed) begin
            state       <= DRAIN;
            status      <= fault;
            pixel_valid <= 0;
        end else case (state)
            IDLE: begin
                places      <= PIXELS;
                colour      <= 0;
                pixel_first <= 1;
                computed    <= 0;
                if (rx_valid) state <= PICTURE;
            end
            PICTURE: if (rx_valid) begin
                pixel  <= {rx_data, pixel[23:8]};
                colour <= colour == 2 ? 0 : colour + 1'b1;
                if (colour == 2) begin
                    pixel_valid <= 1;
                    places      <= last ? 4 : places - 1'b1;
                    if (last) state <= CHECKSUM;
                end
            end
            CHECKSUM: begin
                if (rx_valid) places <= places - 1'b1;
                if (places == 0 && !crc_valid) begin
                    intact <= crc == 32'h2144df1c;
                    state  <= COMPUTE;
                end
            end
            COMPUTE: if (computed) begin
                status     <= `ETN_STATUS_OK;
                bytes      <= {cycles - arrived, top_logits, top_classes, 5'd0, `ETN_STATUS_OK, `ETN_ANSWER};
                bytes_left <= WITH_CLASSES;
                sealed     <= 0;
                state      <= ANSWER;
            end
            DRAIN: if (silent && (ready || error_rom)) begin
                more       <= 0;
                bytes[15:0] <= {5'd0, status, `ETN_ANSWER};
                bytes_left <= WITHOUT;
                sealed     <= 0;
                state      <= ANSWER;
            end
            ANSWER: if (sent) bytes_left <= bytes_left - 1'b1;
            else if (bytes_left == 0 && !crc_valid) begin
                if (sealed) state <= IDLE;
                else begin
                    bytes[31:0] <= crc;
                    bytes_left  <= 4;
                    sealed      <= 1;
                end
            end
            default: state <= IDLE;
        endcase
    end
endmodule

`default_nettype wire
