#include "etn_dsp.h"
#include "etn_kernels.h"

void etn_to_line(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    const int32_t columns = layer->in_columns, pitch = etn_pitch(columns, layer->stride);
    const uint32_t upper = 0xff00ff00u;
    for (int32_t c = 0; c < layer->inputs; c++, to += pitch) {
        etn_line *out = to + 1;
        int32_t left = columns;
        for (; left >= 4; left -= 4, from += 4, out += 4) {
            const uint32_t four = etn_word(from);
            const int32_t even = (int32_t)(four << 8 & upper), odd = (int32_t)(four & upper);
            const uint32_t two[2] = {etn_lower(even, odd), etn_upper(even, odd)};
            memcpy(out, &two[0], 4);
            memcpy(out + 2, &two[1], 4);
        }
        for (; left; left--)
            *out++ = (etn_line)(*from++ * ETN_LINE_UNIT);
    }
}

void etn_to_operand(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    for (int32_t c = 0; c < layer->inputs; c++)
        for (int32_t x = 0; x < layer->in_columns; x++)
            to[etn_operand_index(layer, c, x)] = *from++;
}
