#include "etn_kernels.h"
#include "etn_requantise.h"
#include "etn_tile.h"

void etn_pointwise_row(const etn_layer *layer, const int8_t *row, const int8_t *shortcut,
                       int32_t shortcut_pitch, int8_t *out, int32_t out_pitch, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, outputs = layer->outputs, inputs = layer->inputs;
    /* Two channels by two columns at a time; an odd last one is computed twice. */
    for (int32_t c0 = 0; c0 < outputs; c0 += 2) {
        const int32_t c1 = c0 + 1 < outputs ? c0 + 1 : c0;
        const int8_t *const u = etn_weights(layer, c0, widened);
        const int8_t *const v = etn_weights(layer, c1, widened + layer->taps);
        const etn_channel first = etn_channel_of(layer, c0), second = etn_channel_of(layer, c1);
        int8_t *const out0 = out + c0 * out_pitch, *const out1 = out + c1 * out_pitch;
        const int8_t *const s = shortcut ? shortcut + c0 * shortcut_pitch : row;
        const int8_t *const t = shortcut ? shortcut + c1 * shortcut_pitch : row;
        for (int32_t x0 = 0; x0 < columns; x0 += 2) {
            const int32_t x1 = x0 + 1 < columns ? x0 + 1 : x0;
            etn_tile tile = {first.bias, first.bias, second.bias, second.bias};
            tile = etn_tile_add(tile, u, v, row + x0 * inputs, row + x1 * inputs, inputs);
            out0[x0] = etn_requantise(rescale, first, tile.up, s[x0]);
            out0[x1] = etn_requantise(rescale, first, tile.uq, s[x1]);
            out1[x0] = etn_requantise(rescale, second, tile.vp, t[x0]);
            out1[x1] = etn_requantise(rescale, second, tile.vq, t[x1]);
        }
    }
}
