// Global average pooling: sums of all pixels by channel while they arrive, then each sum requantised, one in a cycle.
`default_nettype none

module etn_gap #(
    parameter V            = 24,
    parameter GROUP_BITS   = 4,
    parameter SUM_BITS     = 16,
    parameter OFFSET_BITS  = 24,
    parameter DOWN_LEAST   = 0,
    parameter DOWN_BITS    = 5,
    parameter PRODUCT_BITS = 25
) (
    input  wire                          clk,
    input  wire                          clear,
    input  wire                          gather,    // from `clear` on, add up what arrives
    input  wire                          average,   // from `clear` on, put out the averages
    input  wire [GROUP_BITS-1:0]         last_group,
    input  wire [DOWN_BITS-1:0]          down,
    input  wire signed [15:0]            multiplier,
    input  wire signed [OFFSET_BITS-1:0] offset,

    input  wire                          in_valid,
    input  wire [8*V-1:0]                in_word,

    input  wire                          room,
    output wire                          reserve,
    output reg                           out_valid,
    output wire [8*V-1:0]                out_word
);
    localparam LATENCY = 9;

    (* ram_style = "distributed" *) reg [V*SUM_BITS-1:0] sums [0:(1<<GROUP_BITS)-1];

    // A sum leaves its memory in one cycle and comes back in the next. Words of a group are two cycles apart at least.
    reg  [GROUP_BITS-1:0] group, back_group;
    reg                   first, add, running, loaded;
    reg  [4:0]            lane;
    reg  [8*V-1:0]        word;
    reg  [V*SUM_BITS-1:0] so_far;
    wire [V*SUM_BITS-1:0] added;
    wire [32*V-1:0]       by_lane;  // 32 bits apart

    genvar c;
    generate
        for (c = 0; c < V; c = c + 1) begin : channel
            wire [SUM_BITS-1:0] wide = {{SUM_BITS-8{word[8*c+7]}}, word[8*c +: 8]};
            assign added[SUM_BITS*c +: SUM_BITS] = so_far[SUM_BITS*c +: SUM_BITS] + wide;
            assign by_lane[32*c +: 32]           = {{32-SUM_BITS{1'b0}}, so_far[SUM_BITS*c +: SUM_BITS]};
        end
    endgenerate

    // ---- A place is reserved, then the lanes of a word leave one by one ----
    wire arrives   = gather && in_valid;
    wire load      = running && !loaded && room;
    wire last_lane = loaded && lane == V - 1;
    assign reserve = load;

    always @(posedge clk) begin
        if (first) so_far <= 0;
        else       so_far <= sums[group];
        word       <= in_word;
        back_group <= group;
        if (add) sums[back_group] <= added;
        if (clear) begin
            group   <= 0;
            first   <= gather;
            add     <= 0;
            running <= average;
            loaded  <= 0;
            lane    <= 0;
        end else begin
            add <= arrives;
            if (arrives || last_lane) group <= group == last_group ? 0 : group + 1'b1;
            if (arrives && group == last_group) first <= 0;
            if (last_lane && group == last_group) running <= 0;
            if (load) loaded <= 1;
            if (loaded) lane <= last_lane ? 0 : lane + 1'b1;
            if (last_lane) loaded <= 0;
        end
    end

    reg signed [SUM_BITS-1:0] sum;
    always @(posedge clk) sum <= by_lane[32*lane +: SUM_BITS];

    wire signed [7:0]     q;
    wire signed [31:0]    unused_t;
    etn_requant #(.ACC_BITS(SUM_BITS), .OFFSET_BITS(OFFSET_BITS), .SHORTCUT(0), .DOWN_LEAST(DOWN_LEAST),
                  .DOWN_BITS(DOWN_BITS), .PRODUCT_BITS(PRODUCT_BITS)) requant (
        .clk(clk), .relu(1'b0), .down(down), .shortcut_1(18'd0), .shortcut_3(18'd0), .shortcut_minus_1(18'd0),
        .low(-8'sd128), .acc(sum), .multiplier(multiplier), .offset(offset), .shortcut(8'd0),
        .t(unused_t), .q(q));

    reg [LATENCY-1:0] leaving, finishing;
    reg [8*V-1:0]     done;
    assign out_word = done;
    always @(posedge clk) begin
        if (clear) begin
            leaving   <= 0;
            finishing <= 0;
            out_valid <= 0;
        end else begin
            leaving   <= {leaving[LATENCY-2:0], loaded};
            finishing <= {finishing[LATENCY-2:0], last_lane};
            out_valid <= finishing[LATENCY-1];
        end
        if (leaving[LATENCY-1]) done <= {q, done[8*V-1:8]};
    end
endmodule

`default_nettype wire
