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
    localparam PER_WORD = V / UNIT, PER_GROUP = TO / UNIT, BITS = 8 * UNIT;

    reg                   valid, last;
    reg  [8*TO-1:0]       outputs;
    reg  [8*V-1:0]        held;
    reg  [PER_WORD-1:0]   at;  // one bit: the unit of a word that comes next
    wire [2*PER_WORD-1:0] turned = {at, at} << PER_GROUP;
    wire                  full   = |at[PER_WORD-1 -: PER_GROUP];

    // Unit p of a group becomes unit k of this word or, if that is full before, of the next one.
    genvar k;
    generate
        for (k = 0; k < PER_WORD; k = k + 1) begin : unit
            reg [BITS-1:0] comes;
            reg            of_this, of_next;
            integer        p;
            always @* begin
                comes   = 0;
                of_this = 0;
                of_next = 0;
                for (p = 0; p < PER_GROUP; p = p + 1)
                    if (at[(k - p + PER_WORD) % PER_WORD]) begin
                        comes   = outputs[BITS*p +: BITS];
                        of_this = k >= p;
                        of_next = k < p;
                    end
            end
            always @(posedge clk) begin
                if (valid && (of_this || of_next)) held[BITS*k +: BITS] <= comes;
                out_word[BITS*k +: BITS] <= of_this ? comes : held[BITS*k +: BITS];
            end
        end
    endgenerate

    always @(posedge clk) begin
        valid     <= !clear && in_valid;
        last      <= in_last;
        outputs   <= in;
        out_valid <= !clear && valid && full;
        if (clear || (valid && last)) at <= 1;
        else if (valid)               at <= turned[2*PER_WORD-1 -: PER_WORD];
    end
endmodule

`default_nettype wire
