#include "etn_tile.h"

/* As a pointwise convolution of the values below the kernel, four columns at a time.
 *
 * `widened` holds the weights of all output channels in the order of the pixels (kernel row, kernel column, input
 * channel), each up to a multiple of eight; then those four columns, int16.
 */
void etn_stem_weights(const etn_layer *layer, int8_t *widened)
{
    const int32_t length = etn_round_up(layer->taps, 8);
    int8_t *const bytes = widened + layer->outputs * length;
    for (int32_t c = 0; c < layer->outputs; c++, widened += length) {
        const int8_t *const weights = etn_weights(layer, c, bytes);
        for (int32_t tap = 0; tap < 9; tap++)
            for (int32_t input = 0; input < layer->inputs; input++)
                widened[tap * layer->inputs + input] = weights[input * 9 + tap];
        memset(widened + layer->taps, 0, (size_t)(length - layer->taps));
    }
}

static void put(const etn_layer *layer, int32_t channel, etn_vector sums, int8_t *out, int32_t count)
{
    const etn_four of = etn_four_of(layer, channel);
    const etn_vector all =
        etn_requantise_four(&of, etn_add(sums, etn_all32(etn_channel_of(layer, channel).bias)), NULL);
    int32_t values[4];
    etn_store32(values, all);
    for (int32_t i = 0; i < count && i < 4; i++)
        out[channel * layer->columns + i] = (int8_t)values[i];
}

void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    const int32_t outputs = layer->outputs, width = layer->columns, wide = 3 * layer->inputs;
    const int32_t length = etn_round_up(layer->taps, 8);
    int16_t *const operand = (int16_t *)(void *)(widened + etn_round_up(outputs * length, 8));
    memset(operand, 0, (size_t)(4 * length) * sizeof *operand);
    for (int32_t x = 0; x < width; x += 4) {
        const int16_t *columns[4];
        for (int32_t i = 0; i < 4 && x + i < width; i++)
            for (int32_t r = 0; r < 3; r++)
                for (int32_t j = 0; j < wide; j++)
                    operand[i * length + r * wide + j] = rows[r][(x + i) * layer->stride * layer->inputs + j];
        etn_columns(operand, length, 0, 4, columns);
        for (int32_t u = 0; u < outputs; u += 2) {
            const int32_t v = u + 1 < outputs ? u + 1 : u;
            const etn_tile tile = etn_tile_of(widened + u * length, widened + v * length, columns, length);
            put(layer, u, tile.u, out + x, width - x);
            put(layer, v, tile.v, out + x, width - x);
        }
    }
}
