// A read-only memory of DEPTH words of WIDTH bits, filled from the $readmemh file PATH.
// The word of `address` is on `data` after the next rising edge of `clk` with `enable` high, and stays until
// the one after. Addresses from DEPTH on hold nothing defined. Reading into a register without reset is what
// makes synthesis choose block RAM; the attribute has it fail rather than choose logic, unless STYLE asks for that.
`default_nettype none

module rom #(
    parameter PATH = "",  // must be given; a tool that reads this file alone has nothing to open
    parameter WIDTH = 36,
    parameter DEPTH = 1024,
    parameter STYLE = "block",  // or "distributed"
    parameter ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  wire                    clk,
    input  wire                    enable,
    input  wire [ADDRESS_BITS-1:0] address,
    output reg  [WIDTH-1:0]        data
);
`ifdef YOSYS
    localparam ROM_STYLE = STYLE == "distributed" ? "logic" : STYLE;  // its name for the same
`else
    localparam ROM_STYLE = STYLE;
`endif
    (* rom_style = ROM_STYLE *) reg [WIDTH-1:0] words [0:DEPTH-1];

    generate
        if (PATH != "") begin : filled
            initial $readmemh(PATH, words);
        end
    endgenerate

`ifndef SYNTHESIS
`ifndef VERILATOR  // which knows no unknown values
    // A missing or short file is only a warning to $readmemh; it would show as X or zeros much later.
    integer word;
    initial begin
        #0;  // after $readmemh
        for (word = 0; word < DEPTH; word = word + 1)
            if (^words[word] === 1'bx) begin
                $display("rom: %0s does not hold word %0d of %0d", PATH, word, DEPTH);
                $fatal(1);
                word = DEPTH;
            end
    end
`endif
`endif

    always @(posedge clk)
        if (enable) data <= words[address];
endmodule

`default_nettype wire
