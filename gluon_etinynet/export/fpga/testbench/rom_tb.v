// Prints every word of a ROM in order, one a line, in hexadecimal; then checks that `enable` low holds the
// data.
`default_nettype none

module rom_tb;
    parameter PATH = "rom.mem";
    parameter WIDTH = 36;
    parameter DEPTH = 1024;
    localparam ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;

    reg                     clk = 0;
    reg                     enable = 1;
    reg  [ADDRESS_BITS-1:0] address = 0;
    wire [WIDTH-1:0]        data;
    reg  [WIDTH-1:0]        last;
    integer                 word;

    rom #(.PATH(PATH), .WIDTH(WIDTH), .DEPTH(DEPTH)) dut (
        .clk(clk), .enable(enable), .address(address), .data(data));

    always #5 clk = !clk;

    initial begin
        for (word = 0; word < DEPTH; word = word + 1) begin
            @(negedge clk) address = word;
            @(posedge clk) #1 $display("%h", data);
        end
        last = data;
        @(negedge clk) enable = 0;
        address = 0;
        @(posedge clk) #1;
        if (data !== last) $display("rom_tb: data changed while enable was low");
        $finish(0);
    end
endmodule

`default_nettype wire
