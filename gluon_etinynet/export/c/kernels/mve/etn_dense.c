#include "etn_mve.h"

void etn_dense(const etn_layer *layer, const int8_t *in, int32_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t inputs = layer->inputs;
    for (int32_t c = 0; c < layer->outputs; c++) {
        const int8_t *const w = etn_vector_weights(layer, c, widened);
        const etn_channel channel = etn_channel_of(layer, c);
        int32_t sum = channel.bias, i = 0;
        for (; i + 16 <= inputs; i += 16)
            sum = vmladavaq_s8(sum, vldrbq_s8(w + i), vldrbq_s8(in + i));
        const mve_pred16_t rest = vctp8q((uint32_t)(inputs - i));
        sum = vmladavaq_s8(sum, vldrbq_z_s8(w + i, rest), vldrbq_z_s8(in + i, rest));
        out[c] = etn_affine(rescale, channel, sum);
    }
}
