#include "etn_tile.h"

/* Columns, of one row or more, for which the weights of two channels are widened once. */
#define COLUMNS 64

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

/* Two channels of a layer: what they need, and where the first lies; the second is `step` behind it. */
typedef struct {
    etn_channel u, v;
    const int8_t *u_weights, *v_weights;
    const etn_line *shortcut;
    etn_line *out;
    int32_t shortcut_step, out_step;
} pair;

/* So many groups of four columns. */
ETN_INLINE void put(etn_scale scale, pair of, const int8_t *operand, int32_t length, const places *at, int32_t groups,
                    int with_shortcut)
{
    const uint32_t *from = at->shortcut, *to = at->out;
    for (; groups; groups--, from += 4, to += 4) {
        etn_tile tile = etn_tile_of(of.u_weights, of.v_weights, &operand, length);
        tile.u = etn_affine_four(scale, of.u, tile.u);
        tile.v = etn_affine_four(scale, of.v, tile.v);
        if (with_shortcut) {
            const uint32x4_t lanes = vldrwq_u32(from);
            const int32x4_t first = vldrbq_gather_offset_s32(of.shortcut, lanes);
            const int32x4_t second = vldrbq_gather_offset_s32(of.shortcut + of.shortcut_step, lanes);
            tile.u = vmlaq_n_s32(tile.u, first, scale.shortcut_multiplier);
            tile.v = vmlaq_n_s32(tile.v, second, scale.shortcut_multiplier);
        }
        const int32x4_t all = etn_clamp_pairs(scale, tile.u, tile.v);
        const uint32x4_t lanes = vldrwq_u32(to);
        vstrbq_scatter_offset_s32(of.out, lanes, all);
        vstrbq_scatter_offset_s32(of.out + of.out_step, lanes, etn_second(all));
    }
}

void etn_pointwise_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened)
{
    const int32_t outputs = layer->outputs, columns = count * layer->columns, length = etn_round_up(layer->inputs, 16);
    const etn_scale scale = etn_scale_of(layer);
    places at;
    for (int32_t begin = 0; begin < columns; begin += COLUMNS, operand += COLUMNS * length) {
        const int32_t most = columns - begin < COLUMNS ? columns - begin : COLUMNS, groups = (most + 3) / 4;
        places_of(io, layer->columns, begin, most, &at);
        for (int32_t u = 0; u < outputs; u += 2) {
            const int32_t v = u + 1 < outputs ? u + 1 : u;
            pair of = {.shortcut = io->shortcut, .out = io->out + u * out_pitch};
            of.u_weights = etn_padded_weights(layer, u, widened);
            of.v_weights = etn_padded_weights(layer, v, widened + etn_widened_step(layer));
            of.u = etn_rounded_channel_of(layer, u);
            of.v = etn_rounded_channel_of(layer, v);
            of.out_step = (v - u) * out_pitch;
            if (!io->shortcut) {
                put(scale, of, operand, length, &at, groups, 0);
                continue;
            }
            of.shortcut += u * shortcut_pitch;
            of.shortcut_step = (v - u) * shortcut_pitch;
            put(scale, of, operand, length, &at, groups, 1);
        }
    }
}
