// Bytes of a word for `etn_pair`: lane k comes k mod V / 2 cycles late.
`default_nettype none

module etn_skew #(
    parameter V = 24
) (
    input  wire           clk,
    input  wire [8*V-1:0] in,
    output wire [8*V-1:0] out
);
    genvar k;
    generate
        for (k = 0; k < V; k = k + 1) begin : lane
            etn_delay #(.WIDTH(8), .CYCLES(k % (V / 2))) late (.clk(clk), .in(in[8*k +: 8]), .out(out[8*k +: 8]));
        end
    endgenerate
endmodule

`default_nettype wire
