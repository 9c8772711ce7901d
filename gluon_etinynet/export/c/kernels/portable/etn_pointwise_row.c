#include "etn_tile.h"

void etn_pointwise_row(const etn_layer *layer, const int8_t *row, const int8_t *shortcut, int32_t shortcut_pitch,
                       int8_t *out, int32_t out_pitch, int8_t *widened)
{
    const etn_outputs to = {.narrow = out, .pitch = out_pitch, .shortcut = shortcut, .shortcut_pitch = shortcut_pitch};
    etn_tile_row(layer, etn_weights, widened, &row, 1, layer->inputs, to);
}
