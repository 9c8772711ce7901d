/* A camera of 640 x 480 pixels in YUYV and a detector: what it finds goes to the UART, each box in the camera's pixels.
 */
#include "board.h"
#include "etinynet.h"
#include "names.h"

#define port_write uart_write /* print.h's texts go to the UART */
#include "print.h"

static uint64_t arena[(ETINYNET_PUSHED_ARENA_BYTES + 7) / 8];
static uint8_t row[ETINYNET_CAMERA_ROW_BYTES];
static etn_detection found[ETINYNET_DETECTIONS];
static int32_t count;

static etn_status see(void)
{
    etinynet_camera_begin(arena);
    for (int y = 0; y < ETINYNET_CAMERA_HEIGHT; y++) {
        camera_read((uint32_t)y, row, sizeof row);
        const etn_status status = etinynet_camera_row(arena, row, sizeof row);
        if (status != ETN_OK)
            return status;
    }
    return etinynet_detect(arena, found, &count);
}

/* From 1/16 pixel of the image to a pixel of the frame, whose `centre` from `first` on is the image's `side`. */
static int32_t in_frame(int32_t corner, int32_t first, int32_t centre, int32_t side)
{
    return first + corner * centre / (side << ETN_PIXEL_BITS);
}

static void say(const etn_detection *one)
{
    const int32_t box[4] = {
        in_frame(one->left, ETINYNET_CENTRE_LEFT, ETINYNET_CENTRE_COLUMNS, ETINYNET_COLUMNS),
        in_frame(one->top, ETINYNET_CENTRE_TOP, ETINYNET_CENTRE_ROWS, ETINYNET_ROWS),
        in_frame(one->right, ETINYNET_CENTRE_LEFT, ETINYNET_CENTRE_COLUMNS, ETINYNET_COLUMNS),
        in_frame(one->bottom, ETINYNET_CENTRE_TOP, ETINYNET_CENTRE_ROWS, ETINYNET_ROWS),
    };
    print_text(names[one->category]);
    print_text(" ");
    print_fixed(one->score, ETN_SCORE_BITS, 3);
    for (int i = 0; i < 4; i++) {
        print_text(" ");
        print_number(box[i]);
    }
    print_text("\n");
}

int main(void)
{
    uart_begin();
    if (etinynet_init(arena, sizeof arena, ETN_PUSHED) != ETN_OK || see() != ETN_OK) {
        print_text("the frame was dropped\n");
        return 1;
    }
    for (int i = 0; i < count && i < 5; i++)
        say(&found[i]);
    print_line("objects:", count);
    print_line("bytes of stack:", port_stack_bytes());
    return 0;
}
