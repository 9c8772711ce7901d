// Delays a value by CYCLES clock cycles. There is no reset: flags that must not survive one are kept elsewhere.
`default_nettype none

module etn_delay #(
    parameter WIDTH  = 8,
    parameter CYCLES = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] in,
    output wire [WIDTH-1:0] out
);
    generate
        if (CYCLES == 0) begin : none
            assign out = in;
        end else if (CYCLES == 1) begin : one
            reg [WIDTH-1:0] last;
            always @(posedge clk) last <= in;
            assign out = last;
        end else begin : several
            reg [WIDTH*CYCLES-1:0] line;
            always @(posedge clk) line <= {line[WIDTH*(CYCLES-1)-1:0], in};
            assign out = line[WIDTH*CYCLES-1 -: WIDTH];
        end
    endgenerate
endmodule

`default_nettype wire
