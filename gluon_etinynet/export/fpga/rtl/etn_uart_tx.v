// Bytes to a serial line: a start bit, 8 bits, a stop bit. A byte is taken in a cycle in which valid and ready are high.
`default_nettype none

module etn_uart_tx #(
    parameter CLOCK = 100000000,  // Hz, below 2^28
    parameter BAUD  = 115200
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       valid,
    output wire       ready,
    input  wire [7:0] data,
    output wire       line
);
    reg  [28:0] phase;  // counts BAUD a cycle, from -CLOCK on for a bit
    reg  [3:0]  bits;   // left, the one on the line among them
    reg  [9:0]  shift;
    wire [28:0] next = phase + BAUD[28:0];
    wire        over = !next[28];

    assign ready = bits == 0;
    assign line  = shift[0];

    always @(posedge clk)
        if (rst) begin
            bits  <= 0;
            shift <= {10{1'b1}};
        end else if (ready) begin
            phase <= -CLOCK;
            if (valid) begin
                bits  <= 10;
                shift <= {1'b1, data, 1'b0};
            end
        end else begin
            phase <= over ? phase + (BAUD - CLOCK) : next;
            if (over) begin
                bits  <= bits - 1'b1;
                shift <= {1'b1, shift[9:1]};
            end
        end
endmodule

`default_nettype wire
