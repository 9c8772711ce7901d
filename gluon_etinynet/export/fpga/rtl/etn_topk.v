// The K largest logits of a stream, the largest first; of equal ones the lower class first.
`default_nettype none

module etn_topk #(
    parameter K = 5
) (
    input  wire            clk,
    input  wire            clear,
    input  wire            in_valid,
    input  wire [15:0]     in_class,
    input  wire [31:0]     in_logit,
    output reg  [16*K-1:0] classes,  // rank r in bits 16 r ..
    output reg  [32*K-1:0] logits
);
    reg  [K-1:0]       filled;
    reg                valid;
    reg  [15:0]        new_class;
    reg  [31:0]        new_logit;
    wire [K:0]         more = {filled, 1'b1};
    wire [K-1:0]       beaten;  // by the logit that arrives; the ranks below a beaten one are beaten too

    genvar r;
    generate
        for (r = 0; r < K; r = r + 1) begin : rank
            // Without signs, and any logit more than none: a comparison is nothing but its carry.
            wire [32:0] held = {filled[r], !logits[32*r+31], logits[32*r +: 31]};
            assign beaten[r] = {1'b1, !new_logit[31], new_logit[30:0]} > held;
            if (r == 0) begin : best
                always @(posedge clk)
                    if (clear) begin
                        logits[0 +: 32]  <= 0;
                    end else if (valid && beaten[0]) begin
                        classes[0 +: 16] <= new_class;
                        logits[0 +: 32]  <= new_logit;
                    end
            end else begin : other
                always @(posedge clk)
                    if (clear) begin
                        logits[32*r +: 32]  <= 0;
                    end else if (valid && beaten[r]) begin
                        classes[16*r +: 16] <= beaten[r-1] ? classes[16*(r-1) +: 16] : new_class;
                        logits[32*r +: 32]  <= beaten[r-1] ? logits[32*(r-1) +: 32] : new_logit;
                    end
            end
        end
    endgenerate

    always @(posedge clk) begin
        valid     <= !clear && in_valid;
        new_class <= in_class;
        new_logit <= in_logit;
        if (clear)      filled <= 0;
        else if (valid) filled <= more[K-1:0];
    end
endmodule

`default_nettype wire
