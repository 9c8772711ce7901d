#include "etn_kernels.h"
#include "etn_requantise.h"

void etn_average(const etn_layer *layer, const int8_t *map, int8_t *out)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const etn_channel every = etn_channel_of(layer, 0);
    const int32_t columns = layer->in_columns, row = layer->inputs * columns;
    for (int32_t c = 0; c < layer->outputs; c++, map += columns) {
        int32_t sum = 0;
        for (int32_t y = 0; y < layer->in_rows; y++)
            for (int32_t x = 0; x < columns; x++)
                sum += map[y * row + x];
        out[c] = etn_requantise(rescale, every, sum, 0);
    }
}
