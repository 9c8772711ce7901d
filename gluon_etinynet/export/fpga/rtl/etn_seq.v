// From one pass to the next: checks the ROMs after reset, waits for a picture, then fetches a descriptor, starts the
// units with `go`, waits until they have finished, and goes on. A pass is the stem, a block, or the head.
`default_nettype none

module etn_seq #(
    parameter PASSES    = 16,
    parameter PASS_BITS = 5
) (
    input  wire                 clk,
    input  wire                 rst,

    output reg                  check,         // the ROMs are being checked
    input  wire                 checked,
    input  wire                 bad,
    output reg                  error_rom,     // stays: nothing is computed until the next reset
    output reg                  error_frame,   // for a cycle: a picture began before the last one was whole

    input  wire                 pixel_start,   // a picture's first pixel waits
    input  wire                 pixel_taken,
    input  wire                 stem,          // the pass takes pixels
    input  wire                 pixels_complete,
    output wire                 pixel_drop,    // no picture has begun: pixels are thrown away
    output wire                 pixel_open,    // pixels go into the stem

    output reg  [PASS_BITS-1:0] pass,
    output reg                  go,            // the pass begins: forget everything; also while `rst`
    input  wire                 finished,

    output wire                 busy,
    output reg                  done,
    output reg  [31:0]          cycles         // of the picture under way, or of the last one
);
    localparam CHECK = 0, IDLE = 1, FETCH = 2, RUN = 3, FAILED = 4;

    reg [2:0] state;
    reg [2:0] fetched;  // the descriptor's ROM answers three cycles after `pass`
    reg       taking;   // pixels, a cycle after `go` of the stem
    reg       begun;    // the picture's first pixel was taken

    wire again = taking && begun && !pixels_complete && pixel_start;

    assign pixel_drop = state == IDLE && !pixel_start;
    assign pixel_open = taking && !again;
    assign busy       = state == FETCH || state == RUN;

    always @(posedge clk) begin
        go          <= 0;
        done        <= 0;
        error_frame <= 0;
        if (busy) cycles <= cycles + 1'b1;
        if (rst) begin
            go        <= 1;
            state     <= CHECK;
            check     <= 1;
            pass      <= 0;
            taking    <= 0;
            fetched   <= 0;
            begun     <= 0;
            error_rom <= 0;
            cycles    <= 0;
        end else case (state)
            CHECK: if (checked) begin
                check     <= 0;
                error_rom <= bad;
                state     <= bad ? FAILED : IDLE;
            end
            IDLE: begin
                pass    <= 0;
                fetched <= 0;
                begun   <= 0;
                if (pixel_start) begin
                    cycles <= 0;
                    state  <= FETCH;
                end
            end
            FETCH: begin
                fetched <= {fetched[1:0], 1'b1};
                if (fetched[2]) begin
                    fetched <= 0;
                    go      <= 1;
                    state   <= RUN;
                end
            end
            RUN: begin
                taking <= stem;
                if (pixel_taken) begun <= 1;
                if (again) begin
                    error_frame <= 1;
                    taking      <= 0;
                    begun       <= 0;
                    cycles      <= 0;
                    state       <= FETCH;
                end else if (finished && !go) begin
                    taking <= 0;
                    pass  <= pass + 1'b1;
                    done  <= pass == PASSES - 1;
                    state <= pass == PASSES - 1 ? IDLE : FETCH;
                end
            end
            default: ;
        endcase
    end
endmodule

`default_nettype wire
