// Groups of TO outputs -> words of V channels, the lowest channel first. Each pixel begins with a new word.
// A group that completes no word answers `no_word`.
`default_nettype none

module etn_pack #(
    parameter V  = 24,
    parameter TO = 4
) (
    input  wire            clk,
    input  wire            clear,
    input  wire            in_valid,
    input  wire            in_last,   // the pixel's last group
    input  wire [8*TO-1:0] in,
    output wire            no_word,
    output reg             out_valid,
    output reg  [8*V-1:0]  out_word
);
    localparam UNIT = V % TO == 0 ? TO : 8;  // channels; divides V and TO
    localparam PER_WORD = V / UNIT, PER_GROUP = TO / UNIT;
    localparam WIDTH = 8 * UNIT * (PER_WORD - 1 + PER_GROUP);

    reg  [3:0]       units;
    reg  [WIDTH-1:0] held;
    wire [WIDTH-1:0] wide = {{WIDTH-8*TO{1'b0}}, in};
    wire [WIDTH-1:0] all  = held | wide << (8 * UNIT * units);
    wire [3:0]       sum  = units + PER_GROUP[3:0];
    wire             full = sum >= PER_WORD[3:0];

    assign no_word = in_valid && !full;

    always @(posedge clk) begin
        out_valid <= !clear && in_valid && full;
        if (in_valid && full) out_word <= all[8*V-1:0];
        if (clear || (in_valid && in_last)) begin
            units <= 0;
            held  <= 0;
        end else if (in_valid) begin
            units <= full ? sum - PER_WORD[3:0] : sum;
            held  <= full ? all >> (8 * V) : all;
        end
    end
endmodule

`default_nettype wire
