#include "etn_kernels.h"
#include "etn_requantise.h"

void etn_dense(const etn_layer *layer, const int8_t *in, int32_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t inputs = layer->inputs;
    for (int32_t c = 0; c < layer->outputs; c++) {
        const int8_t *w = etn_weights(layer, c, widened);
        const etn_channel channel = etn_channel_of(layer, c);
        int32_t acc = channel.bias;
        for (int32_t i = 0; i < inputs; i++)
            acc += w[i] * in[i];
        out[c] = etn_affine(rescale, channel, acc);
    }
}
