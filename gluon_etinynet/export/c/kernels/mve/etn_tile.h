/* Sums of two output channels (u, v) by four columns of an operand: the inner loop of all convolutions but depthwise. */
#ifndef ETN_TILE_H
#define ETN_TILE_H

#include "etn_mve.h"

/* The weights of a channel, int8, as far as a multiple of sixteen; those behind the last meet zeros. Where they lie, if
 * that many bytes are there, or in `widened`. */
ETN_INLINE const int8_t *etn_padded_weights(const etn_layer *layer, int32_t channel, int8_t *widened)
{
    const int32_t taps = layer->taps, length = etn_round_up(taps, 16);
    const int8_t *const weights = etn_vector_weights(layer, channel, widened);
    if (weights == widened || channel * taps + length <= layer->outputs * taps)
        return weights;
    memcpy(widened, weights, (size_t)taps);
    return widened;
}

typedef struct {
    int32x4_t u, v;
} etn_tile;

/* `length` products, a multiple of sixteen, for each. */
ETN_INLINE etn_tile etn_tile_of(const int8_t *u, const int8_t *v, const int8_t *operand, int32_t length)
{
    int32_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (const int8_t *const end = u + length; u != end; u += 16, v += 16, operand += 64) {
        const int8x16_t first = vldrbq_s8(u), second = vldrbq_s8(v);
        int8x16_t column = vldrbq_s8(operand);
        a = vmladavaq_s8(a, first, column);
        e = vmladavaq_s8(e, second, column);
        column = vldrbq_s8(operand + 16);
        b = vmladavaq_s8(b, first, column);
        f = vmladavaq_s8(f, second, column);
        column = vldrbq_s8(operand + 32);
        c = vmladavaq_s8(c, first, column);
        g = vmladavaq_s8(g, second, column);
        column = vldrbq_s8(operand + 48);
        d = vmladavaq_s8(d, first, column);
        h = vmladavaq_s8(h, second, column);
    }
    const etn_tile tile = {etn_four(a, b, c, d), etn_four(e, f, g, h)};
    return tile;
}

#endif
