// The multiples 1, 3 and -1 of a shortcut's multiplier, for the lanes of `etn_requant`. They change between passes only.
`default_nettype none

module etn_multiples (
    input  wire        clk,
    input  wire [15:0] multiplier,
    output reg  [17:0] once,
    output reg  [17:0] thrice,
    output reg  [17:0] minus
);
    wire [17:0] wide = {{2{multiplier[15]}}, multiplier};
    always @(posedge clk) begin
        once   <= wide;
        thrice <= wide + {wide[16:0], 1'b0};
        minus  <= 18'd0 - wide;
    end
endmodule

`default_nettype wire
