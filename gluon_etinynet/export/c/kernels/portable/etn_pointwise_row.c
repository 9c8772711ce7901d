#include "etn_tile.h"

void etn_pointwise_row(const etn_layer *layer, const etn_line *operand, const etn_line *shortcut,
                       int32_t shortcut_pitch, etn_line *out, int32_t out_pitch, int8_t *widened)
{
    const etn_outputs to = {.narrow = out, .pitch = out_pitch, .shortcut = shortcut, .shortcut_pitch = shortcut_pitch};
    etn_tile_row(layer, etn_weights, widened, widened + layer->taps, &operand, 1, layer->inputs, to);
}
