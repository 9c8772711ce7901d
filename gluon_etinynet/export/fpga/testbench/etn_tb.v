// Feeds pixels to the core and says on standard output what happens. pixels.hex holds a pixel a line: R in bits 0..7,
// G in 8..15, B in 16..23, and start of picture in bit 24. Arguments: +pictures=N ends after so many; +stalls=K offers a
// pixel, and takes a logit, in one of K + 1 cycles at random (+seed=S); +reset=C resets in that cycle; +trace; +limit=C.
//     m PASS WORD     of the pointwise unit                  d PASS WORD   of the first depthwise unit
//     y PASS ADDRESS WORD   a result in the memory           g PASS WORD   of the average
//     l CLASS LOGIT   t RANK CLASS LOGIT   c PASS CYCLES (the pass has begun)   f CYCLES (the picture is done)
//     e frame (a picture was given up)   e rom (a memory is empty)   e limit (it did not end)
`default_nettype none
`include "etn_config.vh"

module etn_tb;
    reg            clk = 0, rst = 1;
    integer        pictures, stalls, reset, seed, limit, file, read, rank;
    integer        now = 0;
    reg            tracing;
    reg     [24:0] next;
    reg     [24:0] pixel = 0;
    reg            offered = 0, sink = 0;

    wire                     pixel_ready, logit_valid, logit_last, top_valid, ready, busy, done, error_rom, error_frame;
    wire        [15:0]       logit_class;
    wire signed [31:0]       logit;
    wire [16*`ETN_TOP-1:0]   top_classes;
    wire [32*`ETN_TOP-1:0]   top_logits;
    wire        [31:0]       cycles;

    etn_top dut (
        .clk(clk), .rst(rst), .pixel_valid(offered), .pixel_ready(pixel_ready), .pixel_sof(pixel[24]),
        .pixel_r(pixel[7:0]), .pixel_g(pixel[15:8]), .pixel_b(pixel[23:16]),
        .logit_valid(logit_valid), .logit_ready(sink), .logit_last(logit_last), .logit_class(logit_class),
        .logit(logit), .top_valid(top_valid), .top_classes(top_classes), .top_logits(top_logits),
        .ready(ready), .busy(busy), .done(done), .cycles(cycles), .error_rom(error_rom), .error_frame(error_frame));

    always #5 clk = !clk;

    initial begin
        if (!$value$plusargs("pictures=%d", pictures)) pictures = 1;
        if (!$value$plusargs("stalls=%d", stalls)) stalls = 0;
        if (!$value$plusargs("seed=%d", seed)) seed = 1;
        if (!$value$plusargs("reset=%d", reset)) reset = -1;
        if (!$value$plusargs("limit=%d", limit)) limit = 100000000;
        tracing = $test$plusargs("trace") != 0;
        file = $fopen("pixels.hex", "r");
        if (file == 0) begin
            $display("e cannot read pixels.hex");
            $finish(0);
        end
    end

    function by_chance(input integer unused);
        by_chance = stalls == 0 || ($random(seed) & 32'h3fffffff) % (stalls + 1) == 0;
    endfunction

    always @(posedge clk) begin
        now <= now + 1;
        rst <= now < 2 || now == reset;
        sink <= by_chance(0);
        if (now > 3 && (!offered || pixel_ready)) begin
            offered <= 0;
            if (by_chance(1)) begin
                read = $fscanf(file, "%h\n", next);
                offered <= read == 1;
                if (read == 1) pixel <= next;
            end
        end

        if (tracing && !rst) begin
            if (dut.dw1_valid)    $display("d %0d %h", dut.pass, dut.dw1_word);
            if (dut.packed_valid) $display("m %0d %h", dut.pass, dut.packed_word);
            if (dut.gap_valid)    $display("g %0d %h", dut.pass, dut.gap_word);
            if (dut.write)        $display("y %0d %0d %h", dut.pass, dut.write_address, dut.write_data);
        end
        if (!rst) begin
            if (dut.go && dut.busy)          $display("c %0d %0d", dut.pass, cycles);
            if (logit_valid && sink)         $display("l %0d %0d", logit_class, logit);
            if (error_frame)                 $display("e frame");
            if (done) begin
                $display("f %0d", cycles);
                pictures = pictures - 1;
            end
            if (top_valid && !busy && pictures == 0) begin
                for (rank = 0; rank < `ETN_TOP; rank = rank + 1)
                    $display("t %0d %0d %0d", rank, top_classes[16*rank +: 16], $signed(top_logits[32*rank +: 32]));
                $finish(0);
            end
            if (error_rom) begin
                $display("e rom");
                $finish(0);
            end
        end
        if (now == limit) begin
            $display("e limit");
            $finish(0);
        end
    end
endmodule

`default_nettype wire
