/* From the accumulator to the output: docs/numerics.md section 2. */
#ifndef ETN_REQUANTISE_H
#define ETN_REQUANTISE_H

#include "etn_model.h"

/* The arithmetic takes >> to be a floor, of negative numbers too; C leaves that to the compiler. */
typedef char etn_right_shift_is_arithmetic[(-5 >> 1) == -3 ? 1 : -1];
typedef char etn_int_has_32_bits[sizeof(int) >= 4 ? 1 : -1];

/* What a layer's channels share, in a copy that stores of int8 cannot be suspected of changing. */
typedef struct {
    int32_t unit; /* 2^L */
    int32_t relu; /* all bits set if before the requantisation, else 0 */
    int32_t low;
    uint32_t range; /* 127 - low */
    int32_t shortcut_multiplier;
} etn_rescale;

typedef struct {
    int32_t bias;
    int32_t multiplier; /* m * 2^16, so that the product's upper word is what is wanted */
    int32_t offset;
} etn_channel;

static inline etn_rescale etn_rescale_of(const etn_layer *layer)
{
    etn_rescale rescale;
    rescale.unit = (int32_t)1 << layer->shift;
    rescale.relu = -(int32_t)layer->relu;
    rescale.low = layer->low;
    rescale.range = (uint32_t)(127 - layer->low);
    rescale.shortcut_multiplier = layer->shortcut_multiplier;
    return rescale;
}

/* A number of 3 or 4 bytes, from the lowest on. */
static inline int32_t etn_number(const uint8_t *from, int32_t bytes)
{
    const int32_t lower = from[0] | from[1] << 8;
    return bytes == 3 ? lower + (int8_t)from[2] * 65536 : lower + (from[2] + (int8_t)from[3] * 256) * 65536;
}

static inline etn_channel etn_channel_of(const etn_layer *layer, int32_t channel)
{
    etn_channel of;
    of.bias = layer->bias ? etn_number(layer->bias + channel * layer->bias_bytes, layer->bias_bytes) : 0;
    of.multiplier = layer->multiplier[channel] * 65536;
    of.offset = etn_number(layer->offset + 3 * channel, 3);
    return of;
}

/* t, before the last shift and without a shortcut. */
static inline int32_t etn_affine(etn_rescale rescale, etn_channel channel, int32_t acc)
{
    acc &= ~(acc >> 31 & rescale.relu);
    return (int32_t)(((int64_t)(acc * rescale.unit) * channel.multiplier) >> 32) + channel.offset;
}

static inline int8_t etn_saturate(etn_rescale rescale, int32_t t)
{
    const int32_t above = (t >> 10) - rescale.low;
    if ((uint32_t)above <= rescale.range)
        return (int8_t)(above + rescale.low);
    return above < 0 ? (int8_t)rescale.low : INT8_MAX;
}

/* Without a shortcut the multiplier of `shortcut` is 0. */
static inline int8_t etn_requantise(etn_rescale rescale, etn_channel channel, int32_t acc, int32_t shortcut)
{
    return etn_saturate(rescale, etn_affine(rescale, channel, acc) + rescale.shortcut_multiplier * shortcut);
}

#endif
