/* A camera of 320 x 240 pixels in RGB565 and a classifier: the name of what it sees goes to the UART. There is no frame
 * buffer: each row goes into the network when it has come. The second frame loses a row, which is a status and no
 * class.
 */
#include "board.h"
#include "etinynet.h"
#include "names.h"

#define port_write uart_write /* print.h's texts go to the UART */
#include "print.h"

static uint64_t arena[(ETINYNET_PUSHED_ARENA_BYTES + 7) / 8];
static uint8_t row[ETINYNET_CAMERA_ROW_BYTES];
static int32_t logits[ETINYNET_CLASSES];
static uint64_t most; /* instructions of a row */

/* One frame, but for the row `lost`. */
static etn_status see(int lost)
{
    etinynet_camera_begin(arena);
    for (int y = 0; y < ETINYNET_CAMERA_HEIGHT; y++) {
        if (y == lost)
            continue;
        camera_read((uint32_t)y, row, sizeof row);
        const uint64_t begin = port_instructions();
        const etn_status status = etinynet_camera_row(arena, row, sizeof row);
        const uint64_t spent = port_instructions() - begin;
        if (status != ETN_OK)
            return status;
        most = spent > most ? spent : most;
    }
    return etinynet_run(arena, logits);
}

static void say_what_it_is(void)
{
    int best = 0;
    for (int i = 1; i < ETINYNET_CLASSES; i++)
        best = logits[i] > logits[best] ? i : best;
    print_text("it is: ");
    print_text(names[best]);
    print_text("\n");
}

int main(void)
{
    uart_begin();
    if (etinynet_init(arena, sizeof arena, ETN_PUSHED) != ETN_OK) {
        print_text("the arena cannot be initialised\n");
        return 1;
    }
    for (int frame = 0; frame < 3; frame++) {
        const etn_status status = see(frame == 1 ? 100 : -1);
        if (status == ETN_OK)
            say_what_it_is();
        else
            print_line("the frame was dropped, status", status);
    }
    print_line("instructions of the longest row:", (int64_t)most);
    print_line("bytes of stack:", port_stack_bytes());
    return 0;
}
