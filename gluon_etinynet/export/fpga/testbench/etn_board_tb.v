// Drives the board's pins: bits on the serial line as serial.txt has them, one thing a line, and a receiver of its own.
//     s BYTE send      t BYTE send it without a stop bit     w BITS wait     a N wait until N bytes more have come
//     l 0 say what the LEDs (ready, busy, error) show        r CYCLES hold the reset button down
// Says `u BYTE` of each byte received and `l LEDS`. +slower=PPM makes the sender so much slower than its rate.
`timescale 1ns / 1ps
`default_nettype none

module etn_board_tb;
    localparam BIT = 80;  // ns, eight cycles

    reg        clk = 0, reset_n = 1, uart_rx = 1;
    wire       uart_tx, led_ready, led_busy, led_error;
    integer    file, read, value, k, slower, patience;
    integer    received = 0, wanted = 0;
    reg  [7:0] what, got;
    real       bit_time;

    etn_board #(.CLOCK(100000000), .BAUD(12500000), .SILENCE(600)) dut (
        .clk(clk), .reset_n(reset_n), .uart_rx(uart_rx), .uart_tx(uart_tx),
        .led_ready(led_ready), .led_busy(led_busy), .led_error(led_error));

    always #5 clk = !clk;

    task send(input [7:0] data, input stop);
        begin
            uart_rx = 0;
            #(bit_time);
            for (k = 0; k < 8; k = k + 1) begin
                uart_rx = data[k];
                #(bit_time);
            end
            uart_rx = stop;
            #(bit_time);
            uart_rx = 1;
        end
    endtask

    initial begin
        if (!$value$plusargs("slower=%d", slower)) slower = 0;
        bit_time = BIT * (1.0 + slower / 1.0e6);
        file = $fopen("serial.txt", "r");
        read = $fscanf(file, "%s %d\n", what, value);
        while (read == 2) begin
            case (what)
                "s": send(value, 1);
                "t": send(value, 0);
                "w": for (k = 0; k < value; k = k + 1) #(bit_time);
                "l": $display("l %b%b%b", led_ready, led_busy, led_error);
                "r": begin
                    reset_n = 0;
                    repeat (value) @(posedge clk);
                    reset_n = 1;
                end
                "a": begin
                    wanted = wanted + value;
                    patience = 1000000;
                    while (received < wanted && patience != 0) begin
                        #(bit_time);
                        patience = patience - 1;
                    end
                    if (patience == 0) $display("e %0d of %0d bytes came", received, wanted);
                end
                default: $display("e unknown: %s", what);
            endcase
            read = $fscanf(file, "%s %d\n", what, value);
        end
        #(20 * BIT);
        if (received != wanted) $display("e %0d bytes came, not %0d", received, wanted);
        $finish(0);
    end

    integer b;
    always @(negedge uart_tx) begin
        #(BIT / 2);
        if (uart_tx !== 0) $display("e a start bit is too short");
        for (b = 0; b < 8; b = b + 1) begin
            #(BIT);
            got[b] = uart_tx;
        end
        #(BIT);
        if (uart_tx !== 1) $display("e a stop bit is missing");
        $display("u %02x", got);
        received = received + 1;
    end
endmodule

`default_nettype wire
