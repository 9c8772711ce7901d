#include "etn_tile.h"

void etn_pointwise_row(const etn_layer *layer, const etn_line *operand, const etn_line *shortcut,
                       int32_t shortcut_pitch, etn_line *out, int32_t out_pitch, int8_t *widened)
{
    etn_tile_row(layer, operand, shortcut, shortcut_pitch, out, out_pitch, NULL, widened);
}
