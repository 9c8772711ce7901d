// A memory with a port to write and a port to read, which block RAM is made of. The word of `read_address` is on
// `read_data` two cycles later: block RAMs read at once, their output register is what makes them fast. What is read
// where a word is being written is not defined, since block RAMs differ in it: simulation says X, and nobody looks.
`default_nettype none

module etn_ram #(
    parameter WIDTH        = 72,
    parameter DEPTH        = 512,
    parameter ADDRESS_BITS = 9
) (
    input  wire                    clk,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [WIDTH-1:0]        write_data,
    input  wire [ADDRESS_BITS-1:0] read_address,
    output reg  [WIDTH-1:0]        read_data
);
    (* ram_style = "block", no_rw_check *) reg [WIDTH-1:0] cells [0:DEPTH-1];
    reg [WIDTH-1:0] read;

    always @(posedge clk) begin
        if (write) cells[write_address] <= write_data;
        read      <= cells[read_address];
`ifndef SYNTHESIS
        if (write && write_address == read_address) read <= {WIDTH{1'bx}};
`endif
        read_data <= read;
    end
endmodule

`default_nettype wire
