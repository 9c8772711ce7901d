#include "etn_kernels.h"

void etn_maxpool_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out)
{
    const int32_t columns = layer->columns, kernel = layer->kernel, stride = layer->stride;
    for (int32_t c = 0; c < layer->outputs; c++)
        for (int32_t x = 0; x < columns; x++) {
            int8_t largest = INT8_MIN;
            for (int32_t r = 0; r < kernel; r++) {
                const int8_t *in = rows[r] + c * layer->in_columns + x * stride;
                for (int32_t i = 0; i < kernel; i++)
                    if (in[i] > largest)
                        largest = in[i];
            }
            *out++ = largest;
        }
}
