/* Every misuse and its status; the exit status is the number of wrong answers. Compiled with the exported
 * folder's src in the include path; takes its tables in to reach a version that is not the runtime's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "net.c"

#ifdef NET_DETECTIONS
typedef struct {
    int32_t count;
    etn_detection found[NET_DETECTIONS];
} result;

static etn_status run_model(const etn_model *of, void *arena, result *to)
{
    return etn_detect(of, arena, to ? to->found : NULL, to ? &to->count : NULL);
}

static etn_status run(void *arena, result *to)
{
    return net_detect(arena, to ? to->found : NULL, to ? &to->count : NULL);
}
#else
typedef struct {
    int32_t logits[NET_CLASSES];
} result;

static etn_status run_model(const etn_model *of, void *arena, result *to)
{
    return etn_run(of, arena, to->logits);
}

static etn_status run(void *arena, result *to)
{
    return net_run(arena, to ? to->logits : NULL);
}
#endif

#define EXPECT_TRUE(condition)                           \
    do {                                                 \
        if (!(condition)) {                              \
            fprintf(stderr, "not so: " #condition "\n"); \
            wrong++;                                     \
        }                                                \
    } while (0)

/* An arena of exactly the bytes asked for, so that the sanitizer sees a byte beyond. */
static int8_t *arena_of(etn_input input)
{
    int8_t *const arena = malloc(net_arena_bytes(input));
    EXPECT(ETN_OK, net_init(arena, net_arena_bytes(input), input));
    return arena;
}

static void before_init(void)
{
    const size_t bytes = net_arena_bytes(ETN_STORED);
    int8_t *const arena = calloc(bytes + 8, 1);
    static result of;
    EXPECT_TRUE(bytes == NET_ARENA_BYTES && net_arena_bytes(ETN_PUSHED) == NET_PUSHED_ARENA_BYTES);
    EXPECT_TRUE(net_arena_bytes((etn_input)7) == 0);
    EXPECT(ETN_NOT_INITIALISED, run(arena, &of));
    EXPECT(ETN_NOT_INITIALISED, net_push_row(arena, arena));
    EXPECT_TRUE(net_image(arena) == NULL && net_image(NULL) == NULL);
    EXPECT(ETN_NULL_POINTER, net_init(NULL, bytes, ETN_STORED));
    EXPECT(ETN_NULL_POINTER, run(NULL, &of));
    EXPECT(ETN_NULL_POINTER, net_push_row(NULL, arena));
    EXPECT(ETN_MISALIGNED, net_init(arena + 4, bytes, ETN_STORED));
    EXPECT(ETN_MISALIGNED, run(arena + 1, &of));
    EXPECT(ETN_ARENA_TOO_SMALL, net_init(arena, bytes - 1, ETN_STORED));
    EXPECT(ETN_ARENA_TOO_SMALL, net_init(arena, net_arena_bytes(ETN_PUSHED) - 1, ETN_PUSHED));
    EXPECT(ETN_WRONG_ARGUMENT, net_init(arena, bytes, (etn_input)7));
    EXPECT(ETN_NOT_INITIALISED, run(arena, &of));
    free(arena);
}

static void versions(void)
{
    etn_model other = model;
    int8_t *const arena = arena_of(ETN_STORED);
    static result of;
    other.version++;
    EXPECT(ETN_WRONG_VERSION, etn_init(&other, arena, net_arena_bytes(ETN_STORED), ETN_STORED));
    other.version = model.version;
    EXPECT(ETN_NOT_INITIALISED, run_model(&other, arena, &of)); /* another network's arena */
    free(arena);
}

static void stored(const int8_t *image, result *of)
{
    int8_t *const arena = arena_of(ETN_STORED);
    EXPECT(ETN_WRONG_INPUT, net_push_row(arena, image));
    EXPECT(ETN_NO_IMAGE, run(arena, of));
    memcpy(net_image(arena), image, NET_ROWS * NET_COLUMNS * NET_CHANNELS);
    EXPECT(ETN_NULL_POINTER, run(arena, NULL));
    EXPECT(ETN_OK, run(arena, of));
    EXPECT(ETN_NO_IMAGE, run(arena, of)); /* the run overwrote it */
    free(arena);
}

static void pushed(const int8_t *image, const result *expected)
{
    int8_t *const arena = arena_of(ETN_PUSHED);
    static result of;
    EXPECT_TRUE(net_image(arena) == NULL);
    EXPECT(ETN_NULL_POINTER, net_push_row(arena, NULL));
    EXPECT(ETN_OK, net_push_row(arena, image));
    EXPECT(ETN_OK, net_init(arena, net_arena_bytes(ETN_PUSHED), ETN_PUSHED)); /* drops the row */
    for (int frame = 0; frame < 2; frame++) {
        for (int y = 0; y < NET_ROWS; y++) {
            EXPECT(ETN_TOO_FEW_ROWS, run(arena, &of));
            EXPECT(ETN_OK, net_push_row(arena, image + y * NET_COLUMNS * NET_CHANNELS));
        }
        EXPECT(ETN_TOO_MANY_ROWS, net_push_row(arena, image));
        EXPECT(ETN_OK, run(arena, &of));
        EXPECT_TRUE(memcmp(&of, expected, sizeof of) == 0);
    }
    free(arena);
}

int main(void)
{
    static int8_t image[NET_ROWS * NET_COLUMNS * NET_CHANNELS];
    static result of;
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (int8_t)(i * 37 + i / 7);
    before_init();
    versions();
    stored(image, &of);
    pushed(image, &of);
#ifdef NET_DETECTIONS
    EXPECT_TRUE(of.count > 1 && of.count <= NET_DETECTIONS);
#endif
    return wrong;
}
