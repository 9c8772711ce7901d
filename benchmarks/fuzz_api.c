/* Calls of an exported network in any order and with any arguments that its header gives a status for, held against
 * a model of the arena's state. Built by fuzz_api.py for libFuzzer, with the export's src in the include path; takes
 * its tables in to reach arenas of another network. Whatever is not as the header says ends the process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.c"

#define ROW_BYTES (NET_COLUMNS * NET_CHANNELS)
#define IMAGE_BYTES (NET_ROWS * ROW_BYTES)

#define EXPECT(condition)                                                         \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "fuzz_api.c:%d: not so: " #condition "\n", __LINE__); \
            abort();                                                              \
        }                                                                         \
    } while (0)

#ifdef NET_DETECTIONS
typedef struct {
    int32_t count;
    etn_detection found[NET_DETECTIONS];
} result;

static etn_status run_network(void *arena, result *to)
{
    return net_detect(arena, to ? to->found : NULL, to ? &to->count : NULL);
}

static void check_result(const result *of)
{
    EXPECT(of->count >= 0 && of->count <= NET_DETECTIONS);
    for (int32_t i = 0; i < of->count; i++) {
        const etn_detection *const one = &of->found[i];
        EXPECT(one->category < NET_CLASSES && one->left <= one->right && one->top <= one->bottom);
        EXPECT(i == 0 || one->score <= of->found[i - 1].score);
    }
}

static int same(const result *a, const result *b)
{
    return a->count == b->count && memcmp(a->found, b->found, (size_t)a->count * sizeof *a->found) == 0;
}
#else
typedef struct {
    int32_t logits[NET_CLASSES];
} result;

static etn_status run_network(void *arena, result *to)
{
    return net_run(arena, to ? to->logits : NULL);
}

static void check_result(const result *of)
{
    (void)of;
}

static int same(const result *a, const result *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
#endif

/* An arena of exactly the bytes that were asked for, so that the sanitizer sees a byte beyond, and what the header
 * says of it: whether it is initialised and for which input, how many rows it holds, whether its image was asked for,
 * and the image as the caller knows it. */
typedef struct {
    int8_t *bytes;
    size_t size;
    int is_initialised;
    etn_input input;
    int rows;
    int has_image;
    int8_t image[IMAGE_BYTES];
} arena;

/* What is left of the fuzzer's bytes; zeros when none are. */
typedef struct {
    const uint8_t *at;
    size_t left;
} bytes;

static uint8_t next(bytes *of)
{
    if (of->left == 0)
        return 0;
    of->left--;
    return *of->at++;
}

/* Pixels: a few bytes of the fuzzer's, again and again. */
static void fill(bytes *of, int8_t *to, size_t count)
{
    uint8_t held[8];
    for (size_t i = 0; i < sizeof held; i++)
        held[i] = next(of);
    for (size_t i = 0; i < count; i++)
        to[i] = (int8_t)(held[i % 8] + (i / 8) * held[i % 3]);
}

static etn_status expected_of(const arena *of)
{
    return of->is_initialised ? ETN_OK : ETN_NOT_INITIALISED;
}

static void initialise(bytes *of, arena *on)
{
    static const etn_input inputs[] = {ETN_STORED, ETN_PUSHED, ETN_STORED, ETN_PUSHED, (etn_input)2, (etn_input)255};
    const uint8_t how = next(of);
    const etn_input input = inputs[next(of) % 6];
    const int is_input = input == ETN_STORED || input == ETN_PUSHED;
    const size_t offset = how & 1 ? (size_t)(how >> 5) : 0, needed = net_arena_bytes(input);
    const size_t said = how & 2 ? next(of) * on->size / 256 : on->size - offset;
    etn_status expected = ETN_OK;
    EXPECT(needed == (input == ETN_STORED ? NET_ARENA_BYTES : input == ETN_PUSHED ? NET_PUSHED_ARENA_BYTES : 0));
    if (!is_input)
        expected = ETN_WRONG_ARGUMENT;
    else if (offset)
        expected = ETN_MISALIGNED;
    else if (said < needed)
        expected = ETN_ARENA_TOO_SMALL;
    EXPECT(net_init(on->bytes + offset, said, input) == expected);
    EXPECT(net_init(NULL, said, input) == ETN_NULL_POINTER);
    if (expected == ETN_OK) {
        on->is_initialised = 1;
        on->input = input;
        on->rows = on->has_image = 0;
    }
}

static void write_image(bytes *of, arena *on)
{
    int8_t *const image = net_image(on->bytes);
    EXPECT((image != NULL) == (on->is_initialised && on->input == ETN_STORED));
    if (image == NULL)
        return;
    EXPECT(image >= on->bytes && image + IMAGE_BYTES <= on->bytes + NET_ARENA_BYTES);
    fill(of, image, IMAGE_BYTES);
    memcpy(on->image, image, IMAGE_BYTES);
    on->has_image = 1;
}

static void push(bytes *of, arena *on)
{
    const int count = next(of) % 4 ? NET_ROWS - on->rows : 1 + next(of) % 3;
    EXPECT(net_push_row(on->bytes, NULL) == (on->is_initialised ? ETN_NULL_POINTER : ETN_NOT_INITIALISED));
    static int8_t rows[IMAGE_BYTES + 3 * ROW_BYTES];
    int8_t *const row = malloc(ROW_BYTES); /* again exactly what is asked for */
    fill(of, rows, (size_t)count * ROW_BYTES);
    for (int i = 0; i < count; i++) {
        etn_status expected = expected_of(on);
        if (expected == ETN_OK && on->input != ETN_PUSHED)
            expected = ETN_WRONG_INPUT;
        else if (expected == ETN_OK && on->rows == NET_ROWS)
            expected = ETN_TOO_MANY_ROWS;
        memcpy(row, rows + i * ROW_BYTES, ROW_BYTES);
        EXPECT(net_push_row(on->bytes, row) == expected);
        if (expected == ETN_OK)
            memcpy(on->image + on->rows++ * ROW_BYTES, row, ROW_BYTES);
    }
    free(row);
}

/* The result of an image by an arena of its own, fed in the other way. */
static void infer_otherwise(const arena *like, result *to)
{
    const etn_input input = like->input == ETN_STORED ? ETN_PUSHED : ETN_STORED;
    const size_t size = net_arena_bytes(input);
    int8_t *const own = malloc(size);
    EXPECT(net_init(own, size, input) == ETN_OK);
    if (input == ETN_STORED)
        memcpy(net_image(own), like->image, IMAGE_BYTES);
    else
        for (int y = 0; y < NET_ROWS; y++)
            EXPECT(net_push_row(own, like->image + y * ROW_BYTES) == ETN_OK);
    EXPECT(run_network(own, to) == ETN_OK);
    free(own);
}

static void infer(arena *on)
{
    result *const got = malloc(sizeof *got), *const other = malloc(sizeof *other);
    etn_status expected = expected_of(on);
    EXPECT(run_network(on->bytes, NULL) == (on->is_initialised ? ETN_NULL_POINTER : ETN_NOT_INITIALISED));
    if (expected == ETN_OK && on->input == ETN_PUSHED && on->rows < NET_ROWS)
        expected = ETN_TOO_FEW_ROWS;
    else if (expected == ETN_OK && on->input == ETN_STORED && !on->has_image)
        expected = ETN_NO_IMAGE;
    EXPECT(run_network(on->bytes, got) == expected);
    if (expected == ETN_OK) {
        check_result(got);
        infer_otherwise(on, other);
        EXPECT(same(got, other));
        on->rows = on->has_image = 0;
    }
    free(got);
    free(other);
}

static void call_with_wrong_arenas(bytes *of, arena *on)
{
    static int8_t row[ROW_BYTES];
    static result to;
    void *const wrong = next(of) & 1 ? NULL : on->bytes + 1 + next(of) % 7;
    const etn_status expected = wrong ? ETN_MISALIGNED : ETN_NULL_POINTER;
    EXPECT(net_push_row(wrong, row) == expected);
    EXPECT(run_network(wrong, &to) == expected);
    EXPECT(net_image(wrong) == NULL);
}

/* By the caller: with one value all over, or with the arena of another network. */
static void overwrite(bytes *of, arena *on)
{
    static etn_model other;
    if (next(of) & 1 && on->size >= NET_PUSHED_ARENA_BYTES) {
        other = model;
        EXPECT(etn_init(&other, on->bytes, on->size, ETN_PUSHED) == ETN_OK);
    } else {
        memset(on->bytes, next(of), on->size);
    }
    on->is_initialised = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes of = {data, size};
    static arena arenas[2];
    for (int i = 0; i < 2; i++) {
        const size_t least = NET_ARENA_BYTES > NET_PUSHED_ARENA_BYTES ? NET_ARENA_BYTES : NET_PUSHED_ARENA_BYTES;
        memset(&arenas[i], 0, sizeof arenas[i]);
        arenas[i].size = i ? least : net_arena_bytes(next(&of) & 1 ? ETN_STORED : ETN_PUSHED);
        arenas[i].bytes = calloc(arenas[i].size, 1);
    }
    while (of.left) {
        const uint8_t call = next(&of);
        arena *const on = &arenas[call >> 7];
        switch (call % 8) {
        case 0:
        case 1:
            initialise(&of, on);
            break;
        case 2:
            write_image(&of, on);
            break;
        case 3:
        case 4:
            push(&of, on);
            break;
        case 5:
            call_with_wrong_arenas(&of, on);
            break;
        case 6:
            infer(on);
            break;
        default:
            if (next(&of) % 4 == 0)
                overwrite(&of, on);
        }
    }
    for (int i = 0; i < 2; i++)
        free(arenas[i].bytes);
    return 0;
}
