// A row of a map: `out` is what was at `address` before, one cycle later.
// Of LUTs, where a RAM with one port reads and writes at the same address; or of block RAM, which begins to read a cycle
// earlier. In a cycle with `write` the address that comes next has to be another.
`default_nettype none

module etn_line #(
    parameter WIDTH        = 96,
    parameter ADDRESS_BITS = 8,
    parameter STYLE        = "distributed"
) (
    input  wire                    clk,
    input  wire [ADDRESS_BITS-1:0] next_address,  // `address` of the next cycle
    input  wire [ADDRESS_BITS-1:0] address,
    input  wire                    write,
    input  wire [WIDTH-1:0]        in,
    output wire [WIDTH-1:0]        out
);
    generate
        if (STYLE == "block") begin : block
            etn_ram #(.WIDTH(WIDTH), .DEPTH(1 << ADDRESS_BITS), .ADDRESS_BITS(ADDRESS_BITS)) words (
                .clk(clk), .write(write), .write_address(address), .write_data(in),
                .read_address(next_address), .read_data(out));
        end else begin : luts
            (* ram_style = "distributed" *) reg [WIDTH-1:0] words [0:(1<<ADDRESS_BITS)-1];
            reg [WIDTH-1:0] read;
            assign out = read;
            always @(posedge clk) begin
                if (write) words[address] <= in;
                read <= words[address];
            end
        end
    endgenerate
endmodule

`default_nettype wire
