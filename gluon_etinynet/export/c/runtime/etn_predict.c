#include "etn_kernels.h"
#include "etn_requantise.h"
#include "etn_tile.h"

void etn_predict_row(const etn_layer *layer, const int8_t *row, int32_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, outputs = layer->outputs, inputs = layer->inputs;
    /* Two channels by two columns at a time; an odd last one is computed twice. */
    for (int32_t c0 = 0; c0 < outputs; c0 += 2) {
        const int32_t c1 = c0 + 1 < outputs ? c0 + 1 : c0;
        const int8_t *const u = etn_weights(layer, c0, widened);
        const int8_t *const v = etn_weights(layer, c1, widened + layer->taps);
        const etn_channel first = etn_channel_of(layer, c0), second = etn_channel_of(layer, c1);
        for (int32_t x0 = 0; x0 < columns; x0 += 2) {
            const int32_t x1 = x0 + 1 < columns ? x0 + 1 : x0;
            etn_tile tile = {first.bias, first.bias, second.bias, second.bias};
            tile = etn_tile_add(tile, u, v, row + x0 * inputs, row + x1 * inputs, inputs);
            out[x0 * outputs + c0] = etn_affine(rescale, first, tile.up);
            out[x1 * outputs + c0] = etn_affine(rescale, first, tile.uq);
            out[x0 * outputs + c1] = etn_affine(rescale, second, tile.vp);
            out[x1 * outputs + c1] = etn_affine(rescale, second, tile.vq);
        }
    }
}
