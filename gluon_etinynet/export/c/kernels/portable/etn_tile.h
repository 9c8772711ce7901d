/* What the stem, pointwise convolutions and predictors share: a row of outputs, computed in tiles of two channels by
 * two columns. */
#ifndef ETN_TILE_H
#define ETN_TILE_H

#include "etn_kernels.h"
#include "etn_requantise.h"

/* Accumulators of two output channels (u, v) by two columns (p, q). */
typedef struct {
    int32_t up, uq, vp, vq;
} etn_tile;

/* Where a row of outputs goes: channel c begins at c * pitch. */
typedef struct {
    int is_wide;            /* which of the two arrays there is */
    int8_t *narrow;         /* requantised, [channel][column] */
    const int8_t *shortcut; /* what is added to them, channel c from c * shortcut_pitch on; NULL: nothing */
    int32_t *wide;          /* without the last shift, a column `step` from the next */
    int32_t pitch, shortcut_pitch, step;
} etn_outputs;

/* As etn_weights, which it is where the weights' order is that of the pixels. */
typedef const int8_t *etn_weights_of(const etn_layer *layer, int32_t channel, int8_t *widened);

static inline void etn_tile_tap(etn_tile *tile, int32_t u, int32_t v, int32_t p, int32_t q)
{
    tile->up += u * p;
    tile->uq += u * q;
    tile->vp += v * p;
    tile->vq += v * q;
}

/* Add the products of `count` taps. Unrolled by hand, which compilers leave undone at -O2; the pointers move first
 * because gcc then finds registers for all of the loop on a Cortex-M. */
static inline etn_tile etn_tile_add(etn_tile tile, const int8_t *u, const int8_t *v, const int8_t *p, const int8_t *q,
                                    int32_t count)
{
    for (; count >= 8; count -= 8) {
        u += 8, v += 8, p += 8, q += 8;
        etn_tile_tap(&tile, u[-8], v[-8], p[-8], q[-8]);
        etn_tile_tap(&tile, u[-7], v[-7], p[-7], q[-7]);
        etn_tile_tap(&tile, u[-6], v[-6], p[-6], q[-6]);
        etn_tile_tap(&tile, u[-5], v[-5], p[-5], q[-5]);
        etn_tile_tap(&tile, u[-4], v[-4], p[-4], q[-4]);
        etn_tile_tap(&tile, u[-3], v[-3], p[-3], q[-3]);
        etn_tile_tap(&tile, u[-2], v[-2], p[-2], q[-2]);
        etn_tile_tap(&tile, u[-1], v[-1], p[-1], q[-1]);
    }
    for (; count; count--)
        etn_tile_tap(&tile, *u++, *v++, *p++, *q++);
    return tile;
}

static inline etn_outputs etn_outputs_of(etn_outputs all, int32_t channel)
{
    etn_outputs of = all;
    if (of.is_wide) {
        of.wide += channel * all.pitch;
    } else {
        of.narrow += channel * all.pitch;
        if (of.shortcut)
            of.shortcut += channel * all.shortcut_pitch;
    }
    return of;
}

static inline void etn_put(etn_outputs to, etn_rescale rescale, etn_channel channel, int32_t x, int32_t acc)
{
    if (to.is_wide)
        to.wide[x * to.step] = etn_affine(rescale, channel, acc);
    else
        to.narrow[x] = etn_requantise(rescale, channel, acc, to.shortcut ? to.shortcut[x] : 0);
}

/* Compute a row of outputs of a kernel of `height` rows, each of taps / height neighbouring values [column][channel],
 * which begin `stride` further from one output column to the next. An odd last channel or column is computed twice. */
static inline void etn_tile_row(const etn_layer *layer, etn_weights_of *weights, int8_t *first_widened,
                                int8_t *second_widened, const int8_t *const *rows, int32_t height, int32_t stride,
                                etn_outputs to)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, outputs = layer->outputs, width = height * layer->inputs;
    for (int32_t c0 = 0; c0 < outputs; c0 += 2) {
        const int32_t c1 = c0 + 1 < outputs ? c0 + 1 : c0;
        const int8_t *const u = weights(layer, c0, first_widened), *const v = weights(layer, c1, second_widened);
        const etn_channel first = etn_channel_of(layer, c0), second = etn_channel_of(layer, c1);
        const etn_outputs to0 = etn_outputs_of(to, c0), to1 = etn_outputs_of(to, c1);
        for (int32_t x0 = 0; x0 < columns; x0 += 2) {
            const int32_t x1 = x0 + 1 < columns ? x0 + 1 : x0, p = x0 * stride, q = x1 * stride;
            etn_tile tile = {first.bias, first.bias, second.bias, second.bias};
            if (height == 1)
                tile = etn_tile_add(tile, u, v, rows[0] + p, rows[0] + q, width);
            else
                for (int32_t r = 0; r < height; r++)
                    tile = etn_tile_add(tile, u + r * width, v + r * width, rows[r] + p, rows[r] + q, width);
            etn_put(to0, rescale, first, x0, tile.up);
            etn_put(to0, rescale, first, x1, tile.uq);
            etn_put(to1, rescale, second, x0, tile.vp);
            etn_put(to1, rescale, second, x1, tile.vq);
        }
    }
}

#endif
