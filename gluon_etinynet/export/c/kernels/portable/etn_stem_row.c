#include "etn_tile.h"

/* From (input channel, kernel row, kernel column) to (kernel row, kernel column, input channel), as the
 * pixels lie. Takes layer->taps bytes for each output channel, and once more. */
void etn_stem_weights(const etn_layer *layer, int8_t *widened)
{
    int8_t *const bytes = widened + layer->outputs * layer->taps;
    for (int32_t channel = 0; channel < layer->outputs; channel++) {
        const int8_t *const weights = etn_weights(layer, channel, bytes);
        for (int32_t tap = 0; tap < 9; tap++)
            for (int32_t input = 0; input < layer->inputs; input++)
                *widened++ = weights[input * 9 + tap];
    }
}

static const int8_t *as_pixels_lie(const etn_layer *layer, int32_t channel, int8_t *widened)
{
    return widened + channel * layer->taps;
}

void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    const etn_outputs to = {.narrow = out, .pitch = layer->columns};
    etn_tile_row(layer, as_pixels_lie, widened, widened, rows, 3, layer->stride * layer->inputs, to);
}
