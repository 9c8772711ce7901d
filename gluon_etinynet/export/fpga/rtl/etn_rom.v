// A ROM that is checked before it is used: while `check` is high it reads every word once and folds them into 32 bits,
// sum = rotate left (sum) xor the word's 32-bit pieces. `checked` ends the check; `bad` says that the sum is not the one
// of the network that this design was made for: a file is missing, short or another's.
// The word of `address` is on `data` three cycles later: both are registers, since block RAMs lie far apart.
`default_nettype none

module etn_rom #(
    parameter PATH         = "",
    parameter WIDTH        = 36,
    parameter DEPTH        = 1024,
    parameter CHECKSUM     = 32'h0,
    parameter STYLE        = "block",
    parameter ADDRESS_BITS = 10
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    check,
    output wire                    checked,
    output reg                     bad,
    input  wire [ADDRESS_BITS-1:0] address,
    output reg  [WIDTH-1:0]        data
);
    localparam PIECES = (WIDTH + 31) / 32;

    reg  [ADDRESS_BITS:0]   next;
    reg  [ADDRESS_BITS-1:0] place;
    reg  [4:0]              reading;
    reg  [31:0]             folded, sum;
    wire [WIDTH-1:0]        word;
    wire [32*PIECES-1:0]    wide = {{32*PIECES-WIDTH{1'b0}}, data};
    wire                    more = check && next != DEPTH;

    rom #(.PATH(PATH), .WIDTH(WIDTH), .DEPTH(DEPTH), .STYLE(STYLE), .ADDRESS_BITS(ADDRESS_BITS)) memory (
        .clk(clk), .enable(1'b1), .address(place), .data(word));

    function [31:0] fold(input [32*PIECES-1:0] pieces);
        integer i;
        begin
            fold = 0;
            for (i = 0; i < PIECES; i = i + 1) fold = fold ^ pieces[32*i +: 32];
        end
    endfunction

    assign checked = next == DEPTH && reading == 0;

    always @(posedge clk) begin
        place <= check ? next[ADDRESS_BITS-1:0] : address;
        data  <= word;
    end

    always @(posedge clk)
        if (rst) begin
            next    <= 0;
            reading <= 0;
            sum     <= 0;
            bad     <= 0;
        end else if (check) begin
            reading <= {reading[3:0], more};
            if (more) next <= next + 1'b1;
            folded <= fold(wide);
            if (reading[3]) sum <= {sum[30:0], sum[31]} ^ folded;
            // The word "if" takes an unknown sum, of a memory that holds nothing, for a wrong one.
            if (sum == CHECKSUM) bad <= 0; else bad <= 1;
        end
endmodule

`default_nettype wire
