/* Weights as vectors, and from sums to outputs: docs/numerics.md sections 6 and 2. */
#ifndef ETN_MVE_H
#define ETN_MVE_H

#include <arm_mve.h>
#include <string.h>

#include "etn_kernels.h"
#include "etn_requantise.h"

#define ETN_INLINE static inline __attribute__((always_inline))

/* 32 weights of 4 bits. */
ETN_INLINE void etn_widen4(int8x16_t packed, int8_t *to)
{
    int8x16x2_t halves;
    halves.val[0] = vshrq_n_s8(vshlq_n_s8(packed, 4), 4);
    halves.val[1] = vshrq_n_s8(packed, 4);
    vst2q_s8(to, halves);
}

/* As etn_weights; of 4 bits 32 at a time, so that `widened` must hold a multiple of that. */
ETN_INLINE const int8_t *etn_vector_weights(const etn_layer *layer, int32_t channel, int8_t *widened)
{
    const int32_t taps = layer->taps;
    if (layer->bits == 8)
        return (const int8_t *)layer->weights + channel * taps;
    if (layer->bits != 4)
        return etn_weights(layer, channel, widened);
    int32_t left = (taps + 1) / 2;
    const int8_t *packed = (const int8_t *)layer->weights + channel * left;
    int8_t *to = widened;
    for (; left >= 16; left -= 16, packed += 16, to += 32)
        etn_widen4(vldrbq_s8(packed), to);
    if (left)
        etn_widen4(vldrbq_z_s8(packed, vctp8q((uint32_t)left)), to);
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

/* As etn_channel_of of a layer with int8 outputs, whose last shift rounds: it brings the rounding constant that the
 * offset has. (The shift that does not, VQSHRN, is this one to some assemblers.) Numbers of three bytes are read as
 * four, of which there is one behind the last. */
ETN_INLINE etn_channel etn_rounded_channel_of(const etn_layer *layer, int32_t channel)
{
    const int32_t spare = 32 - 8 * layer->bias_bytes;
    etn_channel of;
    uint32_t word;
    of.bias = 0;
    if (layer->bias) {
        memcpy(&word, layer->bias + channel * layer->bias_bytes, sizeof word);
        of.bias = (int32_t)(word << spare) >> spare;
    }
    of.multiplier = layer->multiplier[channel] * 65536;
    memcpy(&word, layer->offset + channel * 3, sizeof word);
    of.offset = ((int32_t)(word << 8) >> 8) - (1 << 9);
    return of;
}

/* Four outputs of one channel, the lowest bytes; of two, those of the second two bytes on. In place, which compilers do
 * not see. */
ETN_INLINE int32x4_t etn_clamp_four(etn_scale scale, int32x4_t t)
{
    __asm__("vqrshrnb.s32 %q0, %q0, #10\n\tvqmovnb.s16 %q0, %q0" : "+w"(t));
    return vreinterpretq_s32_s8(vmaxq_s8(vreinterpretq_s8_s32(t), scale.low));
}

ETN_INLINE int32x4_t etn_clamp_pairs(etn_scale scale, int32x4_t t, int32x4_t second)
{
    __asm__("vqrshrnb.s32 %q0, %q0, #10\n\tvqrshrnt.s32 %q0, %q1, #10\n\tvqmovnb.s16 %q0, %q0" : "+w"(t) : "w"(second));
    return vreinterpretq_s32_s8(vmaxq_s8(vreinterpretq_s8_s32(t), scale.low));
}

ETN_INLINE int32x4_t etn_second(int32x4_t pairs)
{
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(pairs), 16));
}

#endif
