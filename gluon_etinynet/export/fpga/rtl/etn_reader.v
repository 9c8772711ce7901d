// Reads a map from the activation memory, word after word, ahead of the unit that takes it.
`default_nettype none

module etn_reader #(
    parameter WIDTH        = 192,
    parameter ADDRESS_BITS = 12
) (
    input  wire                    clk,
    input  wire                    clear,
    input  wire                    active,
    input  wire [ADDRESS_BITS-1:0] base,
    input  wire [ADDRESS_BITS:0]   words,

    output reg  [ADDRESS_BITS-1:0] address,  // answered after two cycles
    input  wire [WIDTH-1:0]        data,

    output wire                    out_valid,
    output wire [WIDTH-1:0]        out_word,
    input  wire                    out_ready
);
    wire                 room;
    reg                  running;
    reg [ADDRESS_BITS:0] left;
    reg [1:0]            asked;
    wire                 ask = running && left != 0 && room;

    etn_fifo #(.WIDTH(WIDTH), .DEPTH_BITS(3)) ahead (
        .clk(clk), .clear(clear), .room(room), .reserve(ask), .push(asked[1]), .push_data(data),
        .valid(out_valid), .data(out_word), .pop(out_valid && out_ready));

    always @(posedge clk)
        if (clear) begin
            running <= active;
            address <= base;
            left    <= words;
            asked   <= 0;
        end else begin
            asked <= {asked[0], ask};
            if (ask) begin
                address <= address + 1'b1;
                left    <= left - 1'b1;
            end
        end
endmodule

`default_nettype wire
