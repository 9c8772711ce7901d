#include "etn_mve.h"

/* The larger of each two neighbours of 32. */
ETN_INLINE int8x16_t larger_of_neighbours(const int8_t *from)
{
    const int8x16x2_t both = vld2q_s8(from);
    return vmaxq_s8(both.val[0], both.val[1]);
}

void etn_maxpool_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out)
{
    const int32_t columns = layer->columns, kernel = layer->kernel, stride = layer->stride;
    for (int32_t c = 0; c < layer->outputs; c++, out += columns) {
        int32_t x = 0;
        if (kernel == 2 && stride == 2 && columns >= 16) { /* the last sixteen may have been computed in part before */
            const int8_t *const top = rows[0] + c * layer->in_columns, *const bottom = rows[1] + c * layer->in_columns;
            for (; x < columns; x += 16) {
                const int32_t at = x < columns - 16 ? x : columns - 16;
                vstrbq_s8(out + at,
                          vmaxq_s8(larger_of_neighbours(top + 2 * at), larger_of_neighbours(bottom + 2 * at)));
            }
        }
        for (; x < columns; x++) {
            int8_t largest = INT8_MIN;
            for (int32_t r = 0; r < kernel; r++) {
                const int8_t *const in = rows[r] + c * layer->in_columns + x * stride;
                for (int32_t i = 0; i < kernel; i++)
                    largest = in[i] > largest ? in[i] : largest;
            }
            out[x] = largest;
        }
    }
}
