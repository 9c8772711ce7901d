#include "etn_tile.h"

/* Four outputs, or fewer, to a line. */
static void put(const etn_four *of, etn_vector sums, const etn_line *shortcut, etn_line *out, int32_t count)
{
    const etn_vector all = etn_requantise_four(of, sums, shortcut);
    int32_t values[4];
    if (count >= 4) {
        etn_store16(out, all);
        return;
    }
    etn_store32(values, all);
    for (int32_t i = 0; i < count; i++)
        out[i] = (etn_line)values[i];
}

void etn_pointwise_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened)
{
    const int32_t outputs = layer->outputs, width = layer->columns, length = etn_round_up(layer->inputs, 8);
    for (int32_t u = 0; u < outputs; u += 2) {
        const int32_t v = u + 1 < outputs ? u + 1 : u;
        const int8_t *const first = etn_padded_weights(layer, u, widened);
        const int8_t *const second = etn_padded_weights(layer, v, widened + length);
        const etn_four of_u = etn_four_of(layer, u), of_v = etn_four_of(layer, v);
        const etn_vector bias_u = etn_all32(etn_channel_of(layer, u).bias);
        const etn_vector bias_v = etn_all32(etn_channel_of(layer, v).bias);
        for (int32_t row = 0; row < count; row++) {
            const etn_line *const shortcut = io[row].shortcut;
            for (int32_t x = 0; x < width; x += 4) {
                const etn_line *columns[4];
                etn_columns(operand + row * etn_operand_length(layer, 1), length, x, width, columns);
                const etn_tile tile = etn_tile_of(first, second, columns, length);
                put(&of_u, etn_add(tile.u, bias_u), shortcut ? shortcut + u * shortcut_pitch + x : NULL,
                    io[row].out + u * out_pitch + x, width - x);
                put(&of_v, etn_add(tile.v, bias_v), shortcut ? shortcut + v * shortcut_pitch + x : NULL,
                    io[row].out + v * out_pitch + x, width - x);
            }
        }
    }
}
