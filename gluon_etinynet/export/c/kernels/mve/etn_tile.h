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

/* Bytes between the weights of u and v, widened. */
ETN_INLINE int32_t etn_widened_step(const etn_layer *layer)
{
    return etn_round_up(layer->taps, 32);
}

typedef struct {
    int32x4_t u, v;
} etn_tile;

/* clang-format off */

#define ETN_PRODUCTS(MULTIPLY)                                                                                         \
    "vldrb.8 q0, [%[u]], #16\n vldrb.8 q1, [%[v]], #16\n"                                                              \
    "vldrb.8 q2, [%[operand]], #64\n vldrb.8 q3, [%[operand], #-48]\n"                                                 \
    MULTIPLY " %[a], q0, q2\n" MULTIPLY " %[e], q1, q2\n vldrb.8 q2, [%[operand], #-32]\n"                             \
    MULTIPLY " %[b], q0, q3\n" MULTIPLY " %[f], q1, q3\n vldrb.8 q3, [%[operand], #-16]\n"                             \
    MULTIPLY " %[c], q0, q2\n" MULTIPLY " %[g], q1, q2\n"                                                              \
    MULTIPLY " %[d], q0, q3\n" MULTIPLY " %[h], q1, q3\n cmp %[u], %[end]\n"

/* `length` products, a multiple of sixteen, for each. All eight sums stay in registers, the even ones, which compilers
 * do not see to. */
ETN_INLINE etn_tile etn_tile_of(const int8_t *u, const int8_t *v, const int8_t *operand, int32_t length)
{
    int32_t a, b, c, d, e, f, g, h;
    etn_tile tile;
    __asm__(ETN_PRODUCTS("vmladav.s8")
            "beq 2f\n"
            "1:" ETN_PRODUCTS("vmladava.s8")
            "bne 1b\n"
            "2: vmov %q[tu][2], %q[tu][0], %[a], %[c]\n vmov %q[tu][3], %q[tu][1], %[b], %[d]\n"
            "vmov %q[tv][2], %q[tv][0], %[e], %[g]\n vmov %q[tv][3], %q[tv][1], %[f], %[h]\n"
            : [u] "+&r"(u), [v] "+&r"(v), [operand] "+&r"(operand), [a] "=&Te"(a), [b] "=&Te"(b), [c] "=&Te"(c),
              [d] "=&Te"(d), [e] "=&Te"(e), [f] "=&Te"(f), [g] "=&Te"(g), [h] "=&Te"(h), [tu] "=&w"(tile.u),
              [tv] "=&w"(tile.v)
            : [end] "r"(u + length)
            : "q0", "q1", "q2", "q3", "cc", "memory");
    return tile;
}

/* clang-format on */

#endif
