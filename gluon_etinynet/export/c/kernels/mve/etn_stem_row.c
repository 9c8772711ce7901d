#include "etn_tile.h"

/* As a pointwise convolution of the values below the kernel, 32 columns at a time.
 *
 * `widened` holds the weights of all output channels in the order of the pixels (kernel row, kernel column, input
 * channel), each up to a multiple of sixteen; then the operand of those columns, and these as they are gathered.
 */
#define COLUMNS 32

void etn_stem_weights(const etn_layer *layer, int8_t *widened)
{
    const int32_t length = etn_round_up(layer->taps, 16);
    int8_t *const bytes = widened + layer->outputs * length;
    for (int32_t c = 0; c < layer->outputs; c++, widened += length) {
        const int8_t *const weights = etn_weights(layer, c, bytes);
        for (int32_t tap = 0; tap < 9; tap++)
            for (int32_t input = 0; input < layer->inputs; input++)
                widened[tap * layer->inputs + input] = weights[input * 9 + tap];
        memset(widened + layer->taps, 0, (size_t)(length - layer->taps));
    }
}

/* The values below the kernel for `count` columns from `x` on. In `gathered` columns lie apart, since what is written
 * behind the values of a kernel row does not count, nor what is read behind a row's end. */
static void gather(const etn_layer *layer, const int8_t *const rows[3], int32_t x, int32_t count, int8_t *operand,
                   int8_t *gathered)
{
    const int32_t length = etn_round_up(layer->taps, 16), step = layer->stride * layer->inputs;
    const int32_t wide = 3 * layer->inputs, apart = length + 16;
    for (int32_t r = 0; r < 3; r++)
        for (int32_t j = 0; j < wide; j += 16) {
            const int8_t *from = rows[r] + x * step + j;
            int8_t *to = gathered + r * wide + j;
            for (int32_t i = 0; i < count; i++, from += step, to += apart)
                vstrbq_s8(to, vldrbq_s8(from));
        }
    for (int32_t i = 0; i < count; i++, gathered += apart)
        for (int32_t j = 0; j < length; j += 16)
            vstrbq_s8(operand + i / 4 * 4 * length + i % 4 * 16 + 4 * j, vldrbq_s8(gathered + j));
}

/* `count` outputs of two channels, the second `step` behind the first. */
ETN_INLINE void put(etn_scale scale, etn_channel u, etn_channel v, const int8_t *u_weights, const int8_t *v_weights,
                    const int8_t *operand, int32_t length, int8_t *out, int32_t step, int32_t count)
{
    for (; count > 0; count -= 4, out += 4) {
        const etn_tile tile = etn_tile_of(u_weights, v_weights, &operand, length);
        const int32x4_t all =
            etn_clamp_pairs(scale, etn_affine_four(scale, u, tile.u), etn_affine_four(scale, v, tile.v));
        if (count >= 4) {
            vstrbq_s32(out, all);
            vstrbq_s32(out + step, etn_second(all));
        } else {
            const mve_pred16_t used = vctp32q((uint32_t)count);
            vstrbq_p_s32(out, all, used);
            vstrbq_p_s32(out + step, etn_second(all), used);
        }
    }
}

void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    const int32_t outputs = layer->outputs, width = layer->columns;
    const int32_t length = etn_round_up(layer->taps, 16);
    const etn_scale scale = etn_scale_of(layer);
    int8_t *const operand = widened + outputs * length;
    for (int32_t begin = 0; begin < width; begin += COLUMNS, out += COLUMNS) {
        const int32_t count = width - begin < COLUMNS ? width - begin : COLUMNS;
        gather(layer, rows, begin, count, operand, operand + COLUMNS * length);
        for (int32_t u = 0; u < outputs; u += 2) {
            const int32_t v = u + 1 < outputs ? u + 1 : u;
            put(scale, etn_rounded_channel_of(layer, u), etn_rounded_channel_of(layer, v), widened + u * length,
                widened + v * length, operand, length, out + u * width, (v - u) * width, count);
        }
    }
}
