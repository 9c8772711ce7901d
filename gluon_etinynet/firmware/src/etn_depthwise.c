#include "etn_kernels.h"
#include "etn_requantise.h"

void etn_depthwise_row(const etn_layer *layer, const int8_t *const rows[3], int32_t pitch, int8_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, stride = layer->stride, shortcut = layer->shortcut;
    for (int32_t c = 0; c < layer->outputs; c++, out += columns) {
        const int8_t *w = etn_weights(layer, c, widened);
        const int8_t *p = rows[0] + c * pitch, *q = rows[1] + c * pitch, *r = rows[2] + c * pitch;
        const etn_channel channel = etn_channel_of(layer, c);
        for (int32_t x = 0; x < columns; x++, p += stride, q += stride, r += stride) {
            const int32_t acc = channel.bias + w[0] * p[0] + w[1] * p[1] + w[2] * p[2] + w[3] * q[0] + w[4] * q[1]
                                + w[5] * q[2] + w[6] * r[0] + w[7] * r[1] + w[8] * r[2];
            out[x] = shortcut ? etn_requantise_sum(rescale, channel, acc, q[1])
                              : etn_requantise(rescale, channel, acc);
        }
    }
}
