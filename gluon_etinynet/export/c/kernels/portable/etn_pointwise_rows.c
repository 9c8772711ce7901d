#include "etn_tile.h"

void etn_pointwise_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened)
{
    for (; count; count--, operand += etn_operand_length(layer, 1), io++) {
        const etn_outputs to = {
            .narrow = io->out, .pitch = out_pitch, .shortcut = io->shortcut, .shortcut_pitch = shortcut_pitch};
        etn_tile_row(layer, etn_weights, widened, widened + layer->taps, &operand, 1, layer->inputs, to);
    }
}
