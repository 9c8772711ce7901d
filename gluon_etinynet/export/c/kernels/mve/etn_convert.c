#include "etn_mve.h"

void etn_to_line(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    const int32_t columns = layer->in_columns, pitch = etn_pitch(columns, layer->stride);
    for (int32_t c = 0; c < layer->inputs; c++, from += columns, to += pitch) {
        int32_t x = 0;
        for (; x + 16 <= columns; x += 16)
            vstrbq_s8(to + 1 + x, vldrbq_s8(from + x));
        const mve_pred16_t rest = vctp8q((uint32_t)(columns - x));
        vstrbq_p_s8(to + 1 + x, vldrbq_z_s8(from + x, rest), rest);
    }
}

void etn_to_operand(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    for (int32_t c = 0; c < layer->inputs; c++)
        for (int32_t x = 0; x < layer->in_columns; x++)
            to[etn_operand_index(layer, c, x)] = *from++;
}
