/* From four sums to four outputs of a channel: docs/numerics.md section 2. */
#ifndef ETN_OUTPUTS_H
#define ETN_OUTPUTS_H

#include "etn_requantise.h"
#include "etn_simd.h"

typedef struct {
    etn_vector multiplier, offset, least, low, high, shortcut_multiplier; /* int32, of all four */
    int32_t shift;
} etn_four;

static inline etn_four etn_four_of(const etn_layer *layer, int32_t channel)
{
    const etn_channel of = etn_channel_of(layer, channel);
    etn_four four;
    four.multiplier = etn_all32(of.multiplier);
    four.offset = etn_all32(of.offset);
    four.least = etn_all32(layer->relu ? 0 : INT32_MIN);
    four.low = etn_all32(layer->low);
    four.high = etn_all32(INT8_MAX);
    four.shortcut_multiplier = etn_all32(layer->shortcut_multiplier);
    four.shift = layer->shift;
    return four;
}

static inline etn_vector etn_affine_four(const etn_four *of, etn_vector sums)
{
    const etn_vector shifted = etn_shift_left(etn_larger(sums, of->least), of->shift);
    return etn_add(etn_upper_product(shifted, of->multiplier), of->offset);
}

static inline etn_vector etn_clamp_four(const etn_four *of, etn_vector t)
{
    return etn_smaller(etn_larger(etn_shift_right_10(t), of->low), of->high);
}

/* Without a shortcut it is NULL; else four int16, of eight that may be read. */
static inline etn_vector etn_requantise_four(const etn_four *of, etn_vector sums, const int16_t *shortcut)
{
    etn_vector t = etn_affine_four(of, sums);
    if (shortcut)
        t = etn_add(t, etn_product(etn_widen(etn_load16(shortcut)), of->shortcut_multiplier));
    return etn_clamp_four(of, t);
}

#endif
