#include "etn_dsp.h"
#include "etn_kernels.h"

void etn_maxpool_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out)
{
    const int32_t columns = layer->columns, kernel = layer->kernel, stride = layer->stride;
    for (int32_t c = 0; c < layer->outputs; c++) {
        const int8_t *const row = rows[0] + c * layer->in_columns;
        int32_t x = 0;
        if (kernel == 2 && stride == 2) {
            const int8_t *top = row, *bottom = rows[1] + c * layer->in_columns;
            for (; x + 4 <= columns; x += 4, top += 8, bottom += 8, out += 4) {
                const uint32_t a = etn_larger(etn_word(top), etn_word(bottom));
                const uint32_t b = etn_larger(etn_word(top + 4), etn_word(bottom + 4));
                const uint32_t c0 = etn_larger(a, a >> 8), c1 = etn_larger(b, b >> 8);
                out[0] = (int8_t)c0;
                out[1] = (int8_t)(c0 >> 16);
                out[2] = (int8_t)c1;
                out[3] = (int8_t)(c1 >> 16);
            }
        }
        for (; x < columns; x++) {
            int8_t largest = INT8_MIN;
            for (int32_t r = 0; r < kernel; r++) {
                const int8_t *const in = rows[r] + c * layer->in_columns + x * stride;
                for (int32_t i = 0; i < kernel; i++)
                    largest = in[i] > largest ? in[i] : largest;
            }
            *out++ = largest;
        }
    }
}
