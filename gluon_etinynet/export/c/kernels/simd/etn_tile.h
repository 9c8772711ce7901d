/* Sums of two output channels (u, v) by four columns: the inner loop of all convolutions but depthwise. */
#ifndef ETN_TILE_H
#define ETN_TILE_H

#include "etn_kernels.h"
#include "etn_outputs.h"

/* The weights of a channel, int8, with zeros up to a multiple of eight; where they lie, or in `widened`. */
static inline const int8_t *etn_padded_weights(const etn_layer *layer, int32_t channel, int8_t *widened)
{
    const int8_t *const weights = etn_weights(layer, channel, widened);
    const int32_t taps = layer->taps, length = etn_round_up(taps, 8);
    if (length == taps)
        return weights;
    if (weights != widened)
        memcpy(widened, weights, (size_t)taps);
    memset(widened + taps, 0, (size_t)(length - taps));
    return widened;
}

typedef struct {
    etn_vector u, v; /* of four columns */
} etn_tile;

/* `length` products, a multiple of eight, for each. */
static inline etn_tile etn_tile_of(const int8_t *u, const int8_t *v, const int16_t *const columns[4], int32_t length)
{
    const etn_vector zero = etn_all32(0);
    etn_vector a = zero, b = zero, c = zero, d = zero, e = zero, f = zero, g = zero, h = zero;
    for (int32_t i = 0; i < length; i += 8) {
        const etn_vector first = etn_load8(u + i), second = etn_load8(v + i);
        const etn_vector p = etn_load16(columns[0] + i), q = etn_load16(columns[1] + i);
        const etn_vector r = etn_load16(columns[2] + i), s = etn_load16(columns[3] + i);
        a = etn_add(a, etn_dot(first, p));
        b = etn_add(b, etn_dot(first, q));
        c = etn_add(c, etn_dot(first, r));
        d = etn_add(d, etn_dot(first, s));
        e = etn_add(e, etn_dot(second, p));
        f = etn_add(f, etn_dot(second, q));
        g = etn_add(g, etn_dot(second, r));
        h = etn_add(h, etn_dot(second, s));
    }
    const etn_tile tile = {etn_sums(a, b, c, d), etn_sums(e, f, g, h)};
    return tile;
}

/* Columns x to x + 3 of an operand; behind the last that one again. */
static inline void etn_columns(const int16_t *operand, int32_t step, int32_t x, int32_t count,
                               const int16_t *columns[4])
{
    for (int32_t i = 0; i < 4; i++)
        columns[i] = operand + (x + i < count ? x + i : count - 1) * step;
}

#endif
