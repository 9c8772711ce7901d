// Groups of TO logits -> one logit after the other, each with the number of its class.
`default_nettype none

module etn_logits #(
    parameter TO      = 4,
    parameter CLASSES = 1000
) (
    input  wire             clk,
    input  wire             clear,

    output wire             room,
    input  wire             reserve,
    input  wire             push,
    input  wire [32*TO-1:0] push_logits,

    output wire             logit_valid,
    input  wire             logit_ready,
    output reg              logit_last,
    output wire [15:0]      logit_class,
    output wire [31:0]      logit
);
    reg  [15:0]      class_number;
    reg  [4:0]       lane;
    reg              ends;   // the group's last logit, or the last of all
    wire [4:0]       next_lane = ends ? 0 : lane + 1'b1;
    wire [32*TO-1:0] group;
    wire             step = logit_valid && logit_ready;

    assign logit_class = class_number;
    assign logit       = group[32*lane +: 32];

    etn_fifo #(.WIDTH(32*TO), .DEPTH_BITS(2)) groups (
        .clk(clk), .clear(clear), .room(room), .reserve(reserve),
        .push(push), .push_data(push_logits), .valid(logit_valid), .data(group),
        .pop(step && ends));

    always @(posedge clk)
        if (clear) begin
            class_number <= 0;
            logit_last   <= CLASSES == 1;
            lane         <= 0;
            ends         <= CLASSES == 1;
        end else if (step) begin
            class_number <= class_number + 1'b1;
            logit_last   <= class_number == CLASSES - 2;
            lane         <= next_lane;
            ends         <= next_lane == TO - 1 || class_number == CLASSES - 2;
        end
endmodule

`default_nettype wire
