#include "etn_tile.h"

void etn_predict_row(const etn_layer *layer, const etn_line *operand, int32_t *out, int8_t *widened)
{
    const etn_outputs to = {.is_wide = 1, .wide = out, .pitch = 1, .step = layer->outputs};
    etn_tile_row(layer, etn_weights, widened, widened + layer->taps, &operand, 1, layer->inputs, to);
}
