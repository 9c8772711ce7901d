// A queue in LUT RAM whose places are reserved before the words are under way, so that no pipeline ever stalls.
// `room` says that a place can be reserved in this cycle. A reservation ends in a `push` and later a `pop`. `data` is
// the oldest word while `valid` is high.
`default_nettype none

module etn_fifo #(
    parameter WIDTH      = 8,
    parameter DEPTH_BITS = 4
) (
    input  wire             clk,
    input  wire             clear,

    output wire             room,
    input  wire             reserve,
    input  wire             push,
    input  wire [WIDTH-1:0] push_data,

    output reg              valid,
    output wire [WIDTH-1:0] data,
    input  wire             pop
);
    (* ram_style = "distributed" *) reg [WIDTH-1:0] words [0:(1<<DEPTH_BITS)-1];

    reg [DEPTH_BITS-1:0] head, tail;
    reg [DEPTH_BITS:0]   reserved, filled;

    assign room = !reserved[DEPTH_BITS];
    assign data = words[head];

    always @(posedge clk) begin
        if (push) words[tail] <= push_data;
        if (clear) begin
            head     <= 0;
            tail     <= 0;
            reserved <= 0;
            filled   <= 0;
            valid    <= 0;
        end else begin
            head     <= head + {{DEPTH_BITS-1{1'b0}}, pop};
            tail     <= tail + {{DEPTH_BITS-1{1'b0}}, push};
            reserved <= reserved + {{DEPTH_BITS{1'b0}}, reserve} - {{DEPTH_BITS{1'b0}}, pop};
            filled   <= filled + {{DEPTH_BITS{1'b0}}, push} - {{DEPTH_BITS{1'b0}}, pop};
            valid    <= push || (valid && !(pop && filled == 1));  // filled != 0, a register because much depends on it
        end
    end
endmodule

`default_nettype wire
