#include "etn_tile.h"

void etn_predict_row(const etn_layer *layer, const etn_line *operand, int32_t *out, int8_t *widened)
{
    etn_tile_rows(layer, operand, NULL, 1, 0, 0, out, widened);
}
