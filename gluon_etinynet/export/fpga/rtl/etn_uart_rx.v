// Bytes from a serial line: a start bit, 8 bits, a stop bit. `line` is synchronised already. A bit is counted in
// fractions of a cycle, so any clock from 8 times the rate on serves.
`default_nettype none

module etn_uart_rx #(
    parameter CLOCK = 100000000,  // Hz, below 2^28
    parameter BAUD  = 115200
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       line,
    output reg        valid,  // for a cycle: a byte has ended
    output reg        torn,   // with it: where the stop bit should be the line was low
    output reg  [7:0] data
);
    localparam START = 10, STOP = 1;

    reg  [28:0] phase;   // counts BAUD a cycle, from -CLOCK on for a bit
    reg  [3:0]  bits;    // left of the byte, the start bit among them
    reg         was;     // the line a cycle ago
    wire [28:0] next   = phase + BAUD[28:0];
    wire        sample = !next[28];

    always @(posedge clk) begin
        valid  <= 0;
        was   <= line;
        if (rst) bits <= 0;
        else if (bits == 0) begin
            phase <= -CLOCK / 2;
            if (was && !line) bits <= START;
        end else begin
            phase <= sample ? phase + (BAUD - CLOCK) : next;
            if (sample) begin
                bits  <= bits == START && line ? 4'd0 : bits - 1'b1;  // too short for a start bit
                valid <= bits == STOP;
                torn  <= !line;
                if (bits != START && bits != STOP) data <= {line, data[7:1]};
            end
        end
    end
endmodule

`default_nettype wire
