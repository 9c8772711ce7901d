// CRC-32 as of Ethernet and zlib, a byte a cycle. `crc` is what goes on the line, low byte first; over bytes with their
// own CRC-32 behind them it is 32'h2144df1c.
`default_nettype none

module etn_crc32 (
    input  wire        clk,
    input  wire        clear,
    input  wire        valid,
    input  wire [7:0]  data,
    output wire [31:0] crc
);
    reg [31:0] state;

    assign crc = ~state;

    function [31:0] updated(input [31:0] old, input [7:0] octet);
        integer k;
        begin
            updated = old ^ {24'd0, octet};
            for (k = 0; k < 8; k = k + 1)
                updated = updated[0] ? {1'b0, updated[31:1]} ^ 32'hedb88320 : {1'b0, updated[31:1]};
        end
    endfunction

    always @(posedge clk)
        if (clear)      state <= 32'hffffffff;
        else if (valid) state <= updated(state, data);
endmodule

`default_nettype wire
