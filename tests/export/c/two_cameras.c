/* Two networks, each with a camera of its own, in one firmware: their frames' rows come in turn; prints the logits of
 * both. */
#include <stdio.h>

#include "one.h"
#include "two.h"

static uint64_t first[(ONE_PUSHED_ARENA_BYTES + 7) / 8], second[(TWO_PUSHED_ARENA_BYTES + 7) / 8];

int main(void)
{
    static uint8_t a[ONE_CAMERA_ROW_BYTES], b[TWO_CAMERA_ROW_BYTES];
    int32_t logits[ONE_CLASSES + TWO_CLASSES];
    int bad = one_init(first, sizeof first, ETN_PUSHED) || two_init(second, sizeof second, ETN_PUSHED) ||
              one_camera_begin(first) || two_camera_begin(second);
    for (int y = 0; y < ONE_CAMERA_HEIGHT || y < TWO_CAMERA_HEIGHT; y++) {
        if (y < ONE_CAMERA_HEIGHT)
            bad |= fread(a, sizeof a, 1, stdin) != 1 || one_camera_row(first, a, sizeof a);
        if (y < TWO_CAMERA_HEIGHT)
            bad |= fread(b, sizeof b, 1, stdin) != 1 || two_camera_row(second, b, sizeof b);
    }
    bad |= one_run(first, logits) || two_run(second, logits + ONE_CLASSES);
    for (int i = 0; i < ONE_CLASSES + TWO_CLASSES; i++)
        printf("%d\n", (int)logits[i]);
    return bad;
}
