#include "etn_tile.h"

static void put(const etn_layer *layer, int32_t channel, etn_vector sums, int32_t *out, int32_t count)
{
    const etn_four of = etn_four_of(layer, channel);
    int32_t values[4];
    etn_store32(values, etn_affine_four(&of, etn_add(sums, etn_all32(etn_channel_of(layer, channel).bias))));
    for (int32_t i = 0; i < count && i < 4; i++)
        out[i * layer->outputs + channel] = values[i];
}

void etn_predict_row(const etn_layer *layer, const etn_line *operand, int32_t *out, int8_t *widened)
{
    const int32_t outputs = layer->outputs, width = layer->columns, length = etn_round_up(layer->inputs, 8);
    for (int32_t u = 0; u < outputs; u += 2) {
        const int32_t v = u + 1 < outputs ? u + 1 : u;
        const int8_t *const first = etn_padded_weights(layer, u, widened);
        const int8_t *const second = etn_padded_weights(layer, v, widened + length);
        for (int32_t x = 0; x < width; x += 4) {
            const etn_line *columns[4];
            etn_columns(operand, length, x, width, columns);
            const etn_tile tile = etn_tile_of(first, second, columns, length);
            put(layer, u, tile.u, out + x * outputs, width - x);
            put(layer, v, tile.v, out + x * outputs, width - x);
        }
    }
}
