#include "etn_kernels.h"

void etn_to_line(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    const int32_t columns = layer->in_columns, pitch = etn_pitch(columns, layer->stride);
    for (int32_t c = 0; c < layer->inputs; c++, from += columns, to += pitch)
        for (int32_t x = 0; x < columns; x++)
            to[1 + x] = from[x];
}

void etn_to_operand(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    for (int32_t c = 0; c < layer->inputs; c++)
        for (int32_t x = 0; x < layer->in_columns; x++)
            to[etn_operand_index(layer, c, x)] = *from++;
}
