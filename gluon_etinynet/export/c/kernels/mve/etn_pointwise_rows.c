#include "etn_tile.h"

/* Columns, of one row or more, for which the weights of two channels are widened once. */
#define COLUMNS 32

/* Where columns lie behind the first row's shortcut and output. */
typedef struct {
    uint32_t shortcut[COLUMNS], out[COLUMNS];
} places;

static void places_of(const etn_pointwise_io *io, int32_t width, int32_t begin, int32_t count, places *of)
{
    for (int32_t i = 0; i < count; i++) {
        const int32_t row = (begin + i) / width, x = (begin + i) % width;
        of->out[i] = (uint32_t)((uintptr_t)io[row].out - (uintptr_t)io->out) + (uint32_t)x;
        of->shortcut[i] = (uint32_t)((uintptr_t)io[row].shortcut - (uintptr_t)io->shortcut) + (uint32_t)x;
    }
}

/* Four outputs, or `count` if these are fewer. */
ETN_INLINE void put(const etn_scale *of, int32x4_t sums, const etn_line *shortcut, const uint32_t *from, etn_line *out,
                    const uint32_t *to, mve_pred16_t used)
{
    int32x4_t t = etn_affine_four(of, vaddq_n_s32(sums, of->bias));
    if (shortcut)
        t = vmlaq_n_s32(t, vldrbq_gather_offset_z_s32(shortcut, vldrwq_u32(from), used), of->shortcut_multiplier);
    vstrbq_scatter_offset_p_s32(out, vldrwq_u32(to), etn_clamp_four(of, t), used);
}

void etn_pointwise_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened)
{
    const int32_t outputs = layer->outputs, columns = count * layer->columns, length = etn_round_up(layer->inputs, 16);
    places at;
    for (int32_t begin = 0; begin < columns; begin += COLUMNS, operand += COLUMNS * length) {
        const int32_t most = columns - begin < COLUMNS ? columns - begin : COLUMNS;
        places_of(io, layer->columns, begin, most, &at);
        for (int32_t u = 0; u < outputs; u += 2) {
            const int32_t v = u + 1 < outputs ? u + 1 : u;
            const int8_t *const first = etn_padded_weights(layer, u, widened);
            const int8_t *const second = etn_padded_weights(layer, v, widened + etn_round_up(layer->taps, 32));
            const etn_scale of_u = etn_scale_of(layer, u), of_v = etn_scale_of(layer, v);
            const etn_line *const shortcut_u = io->shortcut ? io->shortcut + u * shortcut_pitch : NULL;
            const etn_line *const shortcut_v = io->shortcut ? io->shortcut + v * shortcut_pitch : NULL;
            for (int32_t x = 0; x < most; x += 4) {
                const etn_tile tile = etn_tile_of(first, second, operand + x * length, length);
                const mve_pred16_t used = vctp32q((uint32_t)(most - x));
                put(&of_u, tile.u, shortcut_u, at.shortcut + x, io->out + u * out_pitch, at.out + x, used);
                put(&of_v, tile.v, shortcut_v, at.shortcut + x, io->out + v * out_pitch, at.out + x, used);
            }
        }
    }
}
