#include "etn_tile.h"

/* From (input channel, kernel row, kernel column) to (kernel row, kernel column, input channel), as the
 * pixels lie. Takes twice layer->taps bytes. */
static const int8_t *interleaved(const etn_layer *layer, int32_t channel, int8_t *widened)
{
    const int8_t *const weights = etn_weights(layer, channel, widened + layer->taps);
    const int32_t inputs = layer->inputs;
    int8_t *to = widened;
    for (int32_t tap = 0; tap < 9; tap++)
        for (int32_t input = 0; input < inputs; input++)
            *to++ = weights[input * 9 + tap];
    return widened;
}

void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    const etn_outputs to = {.narrow = out, .pitch = layer->columns};
    etn_tile_row(layer, interleaved, widened, rows, 3, layer->stride * layer->inputs, to);
}
