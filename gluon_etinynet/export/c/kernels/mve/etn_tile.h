/* Sums of two output channels (u, v) by four columns of an operand: the inner loop of all convolutions but depthwise.
 */
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
    "vldrb.8 %q0, [%4], #16\n vldrb.8 %q1, [%5], #16\n"                                                                \
    "vldrb.8 %q2, [%6], #64\n vldrb.8 %q3, [%6, #-48]\n"                                                               \
    MULTIPLY " r0, %q0, %q2\n" MULTIPLY " r8, %q1, %q2\n vldrb.8 %q2, [%6, #-32]\n"                                    \
    MULTIPLY " r2, %q0, %q3\n" MULTIPLY " r10, %q1, %q3\n vldrb.8 %q3, [%6, #-16]\n"                                   \
    MULTIPLY " r4, %q0, %q2\n" MULTIPLY " r12, %q1, %q2\n"                                                             \
    MULTIPLY " r6, %q0, %q3\n" MULTIPLY " lr, %q1, %q3\n cmp %4, %7\n"

/* `length` products, a multiple of sixteen, for each; `*operand` moves on to the next four columns. The sums take all
 * eight registers that they can be in, which compilers do not see to. */
ETN_INLINE etn_tile etn_tile_of(const int8_t *u, const int8_t *v, const int8_t **operand, int32_t length)
{
    register const int8_t *u_at __asm__("r1") = u;
    register const int8_t *v_at __asm__("r3") = v;
    register const int8_t *at __asm__("r5") = *operand;
    register const int8_t *end __asm__("r9") = u + length;
    int32x4_t first, second;
    int8x16_t even, odd;
    __asm__(ETN_PRODUCTS("vmladav.s8")
            "beq 2f\n"
            "1:" ETN_PRODUCTS("vmladava.s8")
            "bne 1b\n"
            "2: vmov %q0[2], %q0[0], r0, r4\n vmov %q0[3], %q0[1], r2, r6\n"
            "vmov %q1[2], %q1[0], r8, r12\n vmov %q1[3], %q1[1], r10, lr\n"
            : "=&w"(first), "=&w"(second), "=&w"(even), "=&w"(odd), "+r"(u_at), "+r"(v_at), "+r"(at)
            : "r"(end)
            : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "cc", "memory");
    *operand = at;
    const etn_tile tile = {first, second};
    return tile;
}

/* clang-format on */

#endif
