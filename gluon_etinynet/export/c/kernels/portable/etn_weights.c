#include "etn_kernels.h"

static void widen4(const uint8_t *packed, int32_t count, int8_t *to)
{
    for (; count >= 2; count -= 2, to += 2) {
        const int32_t both = *packed++;
        to[0] = (int8_t)(((both & 15) ^ 8) - 8);
        to[1] = (int8_t)((both >> 4 ^ 8) - 8);
    }
    if (count)
        to[0] = (int8_t)(((*packed & 15) ^ 8) - 8);
}

static void widen(const uint8_t *packed, int32_t bits, int32_t count, int8_t *to)
{
    const int32_t sign = (int32_t)1 << (bits - 1), mask = 2 * sign - 1;
    int32_t stream = 0, held = 0;
    for (; count; count--, stream >>= bits, held -= bits) {
        if (held < bits) {
            stream |= (int32_t)*packed++ << held;
            held += 8;
        }
        *to++ = (int8_t)(((stream & mask) ^ sign) - sign);
    }
}

const int8_t *etn_weights(const etn_layer *layer, int32_t channel, int8_t *widened)
{
    const uint8_t *packed = layer->weights + channel * ((layer->taps * layer->bits + 7) / 8);
    if (layer->bits == 8)
        return (const int8_t *)packed;
    if (layer->bits == 4)
        widen4(packed, layer->taps, widened);
    else
        widen(packed, layer->bits, layer->taps, widened);
    return widened;
}
