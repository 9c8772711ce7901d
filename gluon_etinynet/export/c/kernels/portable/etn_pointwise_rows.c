#include "etn_tile.h"

void etn_pointwise_rows(const etn_layer *layer, const etn_line *operands, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened)
{
    for (; count; count--, operands += etn_operand_length(layer), io++) {
        const etn_outputs to = {
            .narrow = io->out, .pitch = out_pitch, .shortcut = io->shortcut, .shortcut_pitch = shortcut_pitch};
        etn_tile_row(layer, etn_weights, widened, widened + layer->taps, &operands, 1, layer->inputs, to);
    }
}
