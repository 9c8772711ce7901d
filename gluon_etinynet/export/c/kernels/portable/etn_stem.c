#include "etn_kernels.h"
#include "etn_requantise.h"
#include "etn_tile.h"

/* From (input channel, kernel row, kernel column) to (kernel row, kernel column, input channel), as the
 * pixels lie. */
static void interleave(const int8_t *weights, int32_t inputs, int8_t *to)
{
    for (int32_t tap = 0; tap < 9; tap++)
        for (int32_t input = 0; input < inputs; input++)
            *to++ = weights[input * 9 + tap];
}

void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, outputs = layer->outputs, inputs = layer->inputs;
    const int32_t step = layer->stride * inputs, width = 3 * inputs;
    /* Two channels by two columns at a time; an odd last one is computed twice. */
    for (int32_t c0 = 0; c0 < outputs; c0 += 2) {
        const int32_t c1 = c0 + 1 < outputs ? c0 + 1 : c0;
        const etn_channel first = etn_channel_of(layer, c0), second = etn_channel_of(layer, c1);
        int8_t *const u = widened, *const v = widened + layer->taps, *const packed = v + layer->taps;
        interleave(etn_weights(layer, c0, packed), inputs, u);
        interleave(etn_weights(layer, c1, packed), inputs, v);
        for (int32_t x0 = 0; x0 < columns; x0 += 2) {
            const int32_t x1 = x0 + 1 < columns ? x0 + 1 : x0;
            etn_tile tile = {first.bias, first.bias, second.bias, second.bias};
            for (int32_t r = 0; r < 3; r++)
                tile = etn_tile_add(tile, u + r * width, v + r * width, rows[r] + x0 * step,
                                    rows[r] + x1 * step, width);
            out[c0 * columns + x0] = etn_requantise(rescale, first, tile.up, 0);
            out[c0 * columns + x1] = etn_requantise(rescale, first, tile.uq, 0);
            out[c1 * columns + x0] = etn_requantise(rescale, second, tile.vp, 0);
            out[c1 * columns + x1] = etn_requantise(rescale, second, tile.vq, 0);
        }
    }
}
