/* Weights as vectors, and from sums to outputs: docs/numerics.md sections 6 and 2. */
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
    const int32_t taps = layer->taps, bytes = (taps + 1) / 2;
    if (layer->bits == 8)
        return (const int8_t *)layer->weights + channel * taps;
    if (layer->bits != 4)
        return etn_weights(layer, channel, widened);
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

/* What the outputs of a layer share. */
typedef struct {
    int32x4_t least; /* of a sum with its bias */
    int8x16_t low;
    int32_t shift, shortcut_multiplier;
} etn_scale;

ETN_INLINE etn_scale etn_scale_of(const etn_layer *layer)
{
    etn_scale scale;
    scale.least = vdupq_n_s32(layer->relu ? 0 : INT32_MIN);
    scale.low = vdupq_n_s8(layer->low);
    scale.shift = layer->shift;
    scale.shortcut_multiplier = layer->shortcut_multiplier;
    return scale;
}

/* t, before the last shift and without a shortcut. */
ETN_INLINE int32x4_t etn_affine_four(etn_scale scale, etn_channel of, int32x4_t sums)
{
    const int32x4_t shifted = vshlq_r_s32(vmaxq_s32(vaddq_n_s32(sums, of.bias), scale.least), scale.shift);
    return vaddq_n_s32(vmulhq_s32(shifted, vdupq_n_s32(of.multiplier)), of.offset);
}

/* A channel of a layer with int8 outputs. Their last shift rounds, and so brings the rounding constant that the offset
 * has: the shift that does not (VQSHRN) is another instruction to some assemblers than to the processor. */
ETN_INLINE etn_channel etn_rounded_channel_of(const etn_layer *layer, int32_t channel)
{
    etn_channel of = etn_channel_of(layer, channel);
    of.offset -= 1 << 9;
    return of;
}

/* Four outputs, the lowest bytes. */
ETN_INLINE int32x4_t etn_clamp_four(etn_scale scale, int32x4_t t)
{
    const int8x16_t bytes = vqmovnbq_s16(vuninitializedq_s8(), vqrshrnbq_n_s32(vuninitializedq_s16(), t, 10));
    return vreinterpretq_s32_s8(vmaxq_s8(bytes, scale.low));
}

/* Four outputs of two channels: those of the first in the lowest bytes of the four, of the second two bytes on. */
ETN_INLINE int32x4_t etn_clamp_pairs(etn_scale scale, int32x4_t first, int32x4_t second)
{
    const int16x8_t both = vqrshrntq_n_s32(vqrshrnbq_n_s32(vuninitializedq_s16(), first, 10), second, 10);
    const int8x16_t bytes = vqmovnbq_s16(vuninitializedq_s8(), both);
    return vreinterpretq_s32_s8(vmaxq_s8(bytes, scale.low));
}

ETN_INLINE int32x4_t etn_second(int32x4_t pairs)
{
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(pairs), 16));
}

#endif
