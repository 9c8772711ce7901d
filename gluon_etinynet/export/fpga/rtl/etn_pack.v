// Groups of TO outputs -> words of V channels, the lowest channel first. Each pixel begins with a new word.
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
    output reg             out_valid,
    output reg  [8*V-1:0]  out_word
);
    localparam UNIT = V % TO == 0 ? TO : 8;  // channels; divides V and TO
    localparam PER_WORD = V / UNIT, PER_GROUP = TO / UNIT;
    localparam WIDTH = 8 * UNIT * (PER_WORD - 1 + PER_GROUP);
    localparam UNIT_BITS = PER_WORD > 4 ? 3 : PER_WORD > 2 ? 2 : 1;

    reg                  valid, last;
    reg  [8*TO-1:0]      outputs;
    reg  [UNIT_BITS-1:0] units;  // held
    reg  [WIDTH-1:0]     held;
    wire [WIDTH-1:0]     wide = {{WIDTH-8*TO{1'b0}}, outputs};
    wire [WIDTH-1:0]     all  = held | wide << (8 * UNIT * units);
    wire [UNIT_BITS:0]   sum  = {1'b0, units} + PER_GROUP[UNIT_BITS:0];
    wire [UNIT_BITS:0]   rest = sum - PER_WORD[UNIT_BITS:0];
    wire                 full = sum >= PER_WORD[UNIT_BITS:0];

    always @(posedge clk) begin
        valid     <= !clear && in_valid;
        last      <= in_last;
        outputs   <= in;
        out_valid <= !clear && valid && full;
        if (valid && full) out_word <= all[8*V-1:0];
        if (clear || (valid && last)) begin
            units <= 0;
            held  <= 0;
        end else if (valid) begin
            units <= full ? rest[UNIT_BITS-1:0] : sum[UNIT_BITS-1:0];
            held  <= full ? all >> (8 * V) : all;
        end
    end
endmodule

`default_nettype wire
