#include "etn_tile.h"

void etn_pointwise_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened)
{
    etn_tile_rows(layer, operand, io, count, shortcut_pitch, out_pitch, NULL, widened);
}
