#include "etn_tile.h"

/* The stem as a pointwise convolution of the values below the kernel, 9 of each of its rows for an image of three
 * channels: eight as two words that are widened, and the ninths of all rows together.
 *
 * `widened` holds the weights of all output channels; then, to compute, an operand of COLUMNS columns.
 */
#define PAIRS 14
#define COLUMNS 32

/* Bytes of the weights of two output channels; of four columns of the operand. */
#define WEIGHTS (8 * PAIRS)
#define GROUP (16 * PAIRS)

static int32_t is_fast(const etn_layer *layer)
{
    return layer->inputs == 3 && layer->relu && layer->low == -128;
}

/* The place of value `i` of kernel row `row` among the 28 of a channel. */
static int32_t place(int32_t row, int32_t i)
{
    return i == 8 ? 24 + row : row * 8 + (i & 4) + (i & 1) * 2 + (i >> 1 & 1);
}

void etn_stem_weights(const etn_layer *layer, int8_t *widened)
{
    const int32_t outputs = layer->outputs;
    int8_t *const bytes = widened + etn_round_up(outputs, 2) / 2 * WEIGHTS;
    if (!is_fast(layer))
        return;
    memset(widened, 0, (size_t)(bytes - widened));
    for (int32_t c = 0; c < etn_round_up(outputs, 2); c++) {
        const int8_t *const w = etn_weights(layer, c < outputs ? c : c - 1, bytes);
        int16_t *const to = (int16_t *)(void *)(widened + c / 2 * WEIGHTS) + c % 2 * 2;
        for (int32_t input = 0; input < 3; input++)
            for (int32_t tap = 0; tap < 9; tap++) {
                const int32_t at = place(tap / 3, tap % 3 * 3 + input);
                to[at / 2 * 4 + at % 2] = w[input * 9 + tap];
            }
    }
}

/* Eight values below a row of the kernel, for one column; its words are 16 bytes apart. Returns the ninth. */
static inline int32_t gather_row(const int8_t *from, int32_t *to)
{
    const uint32_t low = etn_word(from), high = etn_word(from + 4);
    to[0] = etn_even(low);
    to[4] = etn_odd(low);
    to[8] = etn_even(high);
    to[12] = etn_odd(high);
    return from[8];
}

/* The operand of `count` columns from `x` on. */
static void gather(const etn_layer *layer, const int8_t *const rows[3], int32_t x, int32_t count, int8_t *operand)
{
    const int32_t step = layer->stride * 3;
    const int8_t *top = rows[0] + x * step, *middle = rows[1] + x * step, *bottom = rows[2] + x * step;
    int32_t *to = (int32_t *)(void *)operand;
    for (int32_t i = 1; i <= count; i++, top += step, middle += step, bottom += step) {
        const int32_t a = gather_row(top, to), b = gather_row(middle, to + 16), c = gather_row(bottom, to + 32);
        to[48] = (int32_t)etn_lower(a, b);
        to[52] = c & 0xffff;
        to += i % 4 ? 1 : GROUP / 4 - 3;
    }
}

static void columns_of(const etn_layer *layer, const int8_t *operand, int8_t *widened, int8_t *out, int32_t x,
                       int32_t count)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    etn_tiles job;
    for (int32_t u = 0; u < layer->outputs; u += 2) {
        const int32_t v = u + 1 < layer->outputs ? u + 1 : u;
        int8_t *const to[2] = {out + u * layer->columns + x, out + v * layer->columns + x};
        etn_set_channels(&job, layer, u, v, 0, ETN_TO_BYTES);
        job.weights = (int16_t *)(void *)(widened + u / 2 * WEIGHTS);
        job.weights_end = job.weights + WEIGHTS / 2;
        job.out_u = to[0];
        job.out_v = to[1];
        job.operand = (const etn_line *)(const void *)operand;
        job.operand_end = job.operand + count / 4 * (GROUP / 2);
        if (count >= 4)
            etn_run_tiles(&job);
        if (count % 4) { /* the columns behind the last are computed and not stored */
            job.operand = (const etn_line *)(const void *)(operand + count / 4 * GROUP);
            job.kind = ETN_SUMS;
            etn_run_tiles(&job);
            for (int32_t i = 0; i < 2; i++)
                for (int32_t j = 0; j < count % 4; j++)
                    to[i][count / 4 * 4 + j] =
                        etn_requantise(rescale, etn_channel_of(layer, i ? v : u), job.sums[4 * i + j], 0);
        }
    }
}

static void reference(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t inputs = layer->inputs;
    for (int32_t c = 0; c < layer->outputs; c++) {
        const int8_t *const w = etn_weights(layer, c, widened);
        const etn_channel channel = etn_channel_of(layer, c);
        for (int32_t x = 0; x < layer->columns; x++) {
            int32_t acc = channel.bias;
            for (int32_t input = 0; input < inputs; input++)
                for (int32_t tap = 0; tap < 9; tap++)
                    acc += w[input * 9 + tap] * rows[tap / 3][(x * layer->stride + tap % 3) * inputs + input];
            *out++ = etn_requantise(rescale, channel, acc, 0);
        }
    }
}

void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    if (!is_fast(layer)) {
        reference(layer, rows, out, widened);
        return;
    }
    int8_t *const operand = widened + etn_round_up(layer->outputs, 2) / 2 * WEIGHTS;
    for (int32_t x = 0; x < layer->columns; x += COLUMNS) {
        const int32_t count = layer->columns - x < COLUMNS ? layer->columns - x : COLUMNS;
        gather(layer, rows, x, count, operand);
        columns_of(layer, operand, widened, out, x, count);
    }
}
