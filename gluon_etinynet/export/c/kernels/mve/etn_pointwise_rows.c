#include "etn_tile.h"

/* Columns, of one row or more, for which the weights of two channels are widened once. */
#define COLUMNS 32

/* Where columns lie behind the first row's shortcut and output. */
typedef struct {
    uint32_t shortcut[COLUMNS], out[COLUMNS];
} places;

/* Those of a last four behind the last column lie behind a row's padding: etn_pitch has room there if the width is no
 * multiple of four. */
static void places_of(const etn_pointwise_io *io, int32_t width, int32_t begin, int32_t count, places *of)
{
    int32_t row = begin / width, x = begin % width;
    for (int32_t i = 0; i < etn_round_up(count, 4); i++) {
        if (i >= count)
            x = width + 1;
        of->out[i] = (uint32_t)((uintptr_t)(io[row].out + x) - (uintptr_t)io->out);
        if (io->shortcut)
            of->shortcut[i] = (uint32_t)((uintptr_t)(io[row].shortcut + x) - (uintptr_t)io->shortcut);
        if (++x == width && i < count - 1)
            row++, x = 0;
    }
}

/* Four outputs of two channels, which are `pitch` apart. */
ETN_INLINE void put(etn_scale scale, etn_channel u, etn_channel v, etn_tile tile, const places *at, int32_t x,
                    const etn_line *shortcut, int32_t shortcut_pitch, etn_line *out, int32_t out_pitch)
{
    tile.u = etn_affine_four(scale, u, tile.u);
    tile.v = etn_affine_four(scale, v, tile.v);
    if (shortcut) {
        const uint32x4_t from = vldrwq_u32(at->shortcut + x);
        const int32x4_t first = vldrbq_gather_offset_s32(shortcut, from);
        const int32x4_t second = vldrbq_gather_offset_s32(shortcut + shortcut_pitch, from);
        tile.u = vmlaq_n_s32(tile.u, first, scale.shortcut_multiplier);
        tile.v = vmlaq_n_s32(tile.v, second, scale.shortcut_multiplier);
    }
    const int32x4_t all = etn_clamp_pairs(scale, tile.u, tile.v);
    const uint32x4_t to = vldrwq_u32(at->out + x);
    vstrbq_scatter_offset_s32(out, to, all);
    vstrbq_scatter_offset_s32(out + out_pitch, to, etn_second(all));
}

void etn_pointwise_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened)
{
    const int32_t outputs = layer->outputs, columns = count * layer->columns, length = etn_round_up(layer->inputs, 16);
    const etn_scale scale = etn_scale_of(layer);
    places at;
    for (int32_t begin = 0; begin < columns; begin += COLUMNS, operand += COLUMNS * length) {
        const int32_t most = columns - begin < COLUMNS ? columns - begin : COLUMNS;
        places_of(io, layer->columns, begin, most, &at);
        for (int32_t u = 0; u < outputs; u += 2) {
            const int32_t v = u + 1 < outputs ? u + 1 : u;
            const int8_t *const first = etn_padded_weights(layer, u, widened);
            const int8_t *const second = etn_padded_weights(layer, v, widened + etn_widened_step(layer));
            const etn_channel of_u = etn_rounded_channel_of(layer, u), of_v = etn_rounded_channel_of(layer, v);
            const etn_line *const shortcut = io->shortcut ? io->shortcut + u * shortcut_pitch : NULL;
            etn_line *const out = io->out + u * out_pitch;
            for (int32_t x = 0; x < most; x += 4)
                put(scale, of_u, of_v, etn_tile_of(first, second, operand + x * length, length), &at, x, shortcut,
                    (v - u) * shortcut_pitch, out, (v - u) * out_pitch);
        }
    }
}
