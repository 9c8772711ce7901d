/* Weights as vectors, and from four sums to four outputs of a channel: docs/numerics.md sections 6 and 2. */
#ifndef ETN_MVE_H
#define ETN_MVE_H

#include <arm_mve.h>
#include <string.h>

#include "etn_kernels.h"
#include "etn_requantise.h"

#define ETN_INLINE static inline __attribute__((always_inline))

/* As etn_weights; of 4 bits sixteen bytes at a time, so that `widened` must hold a multiple of 32. */
ETN_INLINE const int8_t *etn_vector_weights(const etn_layer *layer, int32_t channel, int8_t *widened)
{
    if (layer->bits != 4)
        return etn_weights(layer, channel, widened);
    const int32_t bytes = (layer->taps + 1) / 2;
    const int8_t *const packed = (const int8_t *)layer->weights + channel * bytes;
    for (int32_t i = 0; i < bytes; i += 16) {
        const int8x16_t both = vldrbq_z_s8(packed + i, vctp8q((uint32_t)(bytes - i)));
        int8x16x2_t halves;
        halves.val[0] = vshrq_n_s8(vshlq_n_s8(both, 4), 4);
        halves.val[1] = vshrq_n_s8(both, 4);
        vst2q_s8(widened + 2 * i, halves);
    }
    return widened;
}

/* Four numbers as a vector; two an instruction, which compilers do not find. */
ETN_INLINE int32x4_t etn_four(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t all;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\tvmov %q0[3], %q0[1], %2, %4" : "=&w"(all) : "r"(a), "r"(b), "r"(c), "r"(d));
    return all;
}

/* What a channel's outputs share. */
typedef struct {
    int32x4_t multiplier, least; /* least: of the sum, with its bias */
    int8x16_t low;
    int32_t bias, shift, shortcut_multiplier;
    int32_t offset; /* without its rounding constant, which the last shift adds */
} etn_scale;

ETN_INLINE etn_scale etn_scale_of(const etn_layer *layer, int32_t channel)
{
    const etn_channel of = etn_channel_of(layer, channel);
    etn_scale scale;
    scale.multiplier = vdupq_n_s32(of.multiplier);
    scale.least = vdupq_n_s32(layer->relu ? 0 : INT32_MIN);
    scale.low = vdupq_n_s8(layer->low);
    scale.bias = of.bias;
    scale.offset = layer->wide ? of.offset : of.offset - 512;
    scale.shift = layer->shift;
    scale.shortcut_multiplier = layer->shortcut_multiplier;
    return scale;
}

/* t, before the last shift and without a shortcut. */
ETN_INLINE int32x4_t etn_affine_four(const etn_scale *of, int32x4_t sums)
{
    const int32x4_t shifted = vshlq_r_s32(vmaxq_s32(sums, of->least), of->shift);
    return vaddq_n_s32(vmulhq_s32(shifted, of->multiplier), of->offset);
}

/* The outputs are the lowest bytes of the four. */
ETN_INLINE int32x4_t etn_clamp_four(const etn_scale *of, int32x4_t t)
{
    const int16x8_t halves = vqrshrnbq_n_s32(vreinterpretq_s16_s32(t), t, 10);
    const int8x16_t bytes = vqmovnbq_s16(vreinterpretq_s8_s16(halves), halves);
    return vreinterpretq_s32_s8(vmaxq_s8(bytes, of->low));
}

#endif
