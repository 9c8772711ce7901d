/* Frames of a camera that are torn, and what the firmware says: the exit status is the number of wrong answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "net.h"
#include "src/etn_schedule.h"

static uint64_t arena[(NET_PUSHED_ARENA_BYTES + 7) / 8];
static uint8_t frame[NET_CAMERA_HEIGHT][NET_CAMERA_ROW_BYTES];
static int32_t logits[NET_CLASSES], expected[NET_CLASSES];

static etn_status row(int y)
{
    return net_camera_row(arena, frame[y], sizeof frame[y]);
}

static void rows(int from, int to)
{
    for (int y = from; y < to; y++)
        EXPECT(ETN_OK, row(y));
}

/* What a camera's interrupt and another thread may do while the network runs: nothing. */
static int is_running, refused;

void etn_observe(const etn_model *model, const etn_layer *layer, const void *of, etn_form form, int32_t pitch)
{
    (void)model, (void)layer, (void)of, (void)form, (void)pitch;
    if (!is_running)
        return;
    EXPECT(ETN_BUSY, net_camera_begin(arena));
    EXPECT(ETN_BUSY, row(0));
    EXPECT(ETN_BUSY, net_push_row(arena, (const int8_t *)frame));
    EXPECT(ETN_BUSY, net_run(arena, logits));
    refused++;
}

/* A whole frame gives the class that it always gave. */
static void whole(void)
{
    EXPECT(ETN_OK, net_camera_begin(arena));
    rows(0, NET_CAMERA_HEIGHT);
    is_running = 1;
    EXPECT(ETN_OK, net_run(arena, logits));
    is_running = 0;
    EXPECT(ETN_NO_FRAME, row(0));
    if (memcmp(logits, expected, sizeof logits) != 0) {
        fprintf(stderr, "the logits of a whole frame have changed\n");
        wrong++;
    }
}

int main(void)
{
    enum { END = NET_CAMERA_HEIGHT, CENTRE_END = NET_CENTRE_TOP + NET_CENTRE_ROWS };
    for (size_t i = 0; i < sizeof frame; i++)
        (&frame[0][0])[i] = (uint8_t)(i * 37 + i / 7);
    EXPECT(ETN_NOT_INITIALISED, net_camera_begin(arena));
    EXPECT(ETN_NOT_INITIALISED, row(0));
    EXPECT(ETN_OK, net_init(arena, sizeof arena, ETN_PUSHED));
    EXPECT(ETN_NO_FRAME, row(0));
    EXPECT(ETN_TOO_FEW_ROWS, net_run(arena, logits));

    EXPECT(ETN_OK, net_camera_begin(arena));
    rows(0, END);
    EXPECT(ETN_OK, net_run(arena, expected));
    whole();
    EXPECT(ETN_NO_FRAME, row(0)); /* the run ended the frame */

    /* Too few, though the centre is complete. */
    EXPECT(ETN_OK, net_camera_begin(arena));
    rows(0, CENTRE_END < END ? CENTRE_END : END - 1);
    EXPECT(ETN_TOO_FEW_ROWS, net_run(arena, logits));
    EXPECT(ETN_TOO_FEW_ROWS, net_camera_begin(arena)); /* cut off; a new frame has begun */
    rows(0, END);
    EXPECT(ETN_OK, net_run(arena, logits));
    whole();

    /* A row too many spoils the frame. */
    EXPECT(ETN_OK, net_camera_begin(arena));
    rows(0, END);
    EXPECT(ETN_TOO_MANY_ROWS, row(0));
    EXPECT(ETN_TOO_MANY_ROWS, row(0));
    EXPECT(ETN_TOO_MANY_ROWS, net_run(arena, logits));
    EXPECT(ETN_TOO_MANY_ROWS, net_run(arena, logits));
    whole();

    /* A restart in the middle: at each row. */
    for (int cut = 0; cut < END; cut++) {
        EXPECT(ETN_OK, net_camera_begin(arena));
        rows(0, cut);
        EXPECT(cut == 0 ? ETN_OK : ETN_TOO_FEW_ROWS, net_camera_begin(arena));
        if (cut % 9 == 0) {
            rows(0, END);
            EXPECT(ETN_OK, net_run(arena, logits));
            whole();
        } else {
            EXPECT(ETN_OK, net_init(arena, sizeof arena, ETN_PUSHED));
        }
    }
    whole();

    /* A row that is short or long spoils the frame; so does no other call's mistake. */
    for (int more = -1; more <= 1; more += 2) {
        EXPECT(ETN_OK, net_camera_begin(arena));
        rows(0, 3);
        EXPECT(ETN_TORN_ROW, net_camera_row(arena, frame[3], (size_t)(NET_CAMERA_ROW_BYTES + more)));
        EXPECT(ETN_TORN_ROW, row(3));
        EXPECT(ETN_TORN_ROW, net_run(arena, logits));
        whole();
    }
    EXPECT(ETN_OK, net_camera_begin(arena));
    rows(0, END / 2);
    EXPECT(ETN_NULL_POINTER, net_camera_row(arena, NULL, NET_CAMERA_ROW_BYTES));
    EXPECT(ETN_WRONG_INPUT, net_push_row(arena, (const int8_t *)frame));
    EXPECT(ETN_TOO_FEW_ROWS, net_run(arena, logits));
    rows(END / 2, END);
    EXPECT(ETN_OK, net_run(arena, logits));
    if (memcmp(logits, expected, sizeof logits) != 0)
        wrong++;

    /* Rows that were pushed without the camera are dropped, and an arena for a stored image has none. */
    EXPECT(ETN_OK, net_push_row(arena, (const int8_t *)frame));
    whole();
    uint64_t *const stored = malloc(NET_ARENA_BYTES);
    EXPECT(ETN_OK, net_init(stored, NET_ARENA_BYTES, ETN_STORED));
    EXPECT(ETN_WRONG_INPUT, net_camera_begin(stored));
    EXPECT(ETN_WRONG_INPUT, net_camera_row(stored, frame[0], sizeof frame[0]));
    free(stored);
    return refused ? wrong : 1;
}
