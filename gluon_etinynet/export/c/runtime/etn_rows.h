/* Rows of maps, and rings of three of them. */
#ifndef ETN_ROWS_H
#define ETN_ROWS_H

#include <string.h>

#include "etn_model.h"

/* Point at rows y - 1, y, y + 1 of a ring of three, each of `bytes`; row -1 is in the slot of row 2. */
static inline void etn_around(const int8_t *ring, int32_t y, int32_t bytes, const int8_t *rows[3])
{
    for (int32_t i = 0; i < 3; i++)
        rows[i] = ring + (y + 2 + i) % 3 * bytes;
}

/* Row of a 3x3 convolution whose last input row is `y`, or -1 if there is none. */
static inline int32_t etn_row_after(const etn_layer *layer, int32_t y)
{
    const int32_t row = (y - 1) / layer->stride;
    return y >= 1 && row * layer->stride == y - 1 && row < layer->rows ? row : -1;
}

static inline void etn_fill(int8_t *to, int8_t value, int32_t bytes)
{
    memset(to, value, (size_t)bytes);
}

/* From [channel][column], as a row of the layer's input lies in a map, to [column][channel]. */
static inline void etn_transpose(const etn_layer *layer, const int8_t *from, int8_t *to)
{
    const int32_t inputs = layer->inputs, columns = layer->in_columns;
    for (int32_t c = 0; c < inputs; c++)
        for (int32_t x = 0; x < columns; x++)
            to[x * inputs + c] = *from++;
}

#endif
