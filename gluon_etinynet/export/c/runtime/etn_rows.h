/* Rows of maps, and rings of three lines. */
#ifndef ETN_ROWS_H
#define ETN_ROWS_H

#include <string.h>

#include "etn_line.h"

/* The lines that begin so many bytes after the arena's state: the planner aligns them. */
static inline etn_line *etn_lines(int8_t *buffers, uint32_t offset)
{
    return (etn_line *)(void *)(buffers + offset);
}

/* The slots of rows y - 1, y, y + 1 in a ring of three; row -1 is in the slot of row 2. */
static inline int32_t etn_slot(int32_t y, int32_t i)
{
    return (y + 2 + i) % 3;
}

/* Point at rows y - 1, y, y + 1 of a ring of three, each of `length` elements. */
static inline void etn_around(const etn_line *ring, int32_t y, int32_t length, const etn_line *rows[3])
{
    for (int32_t i = 0; i < 3; i++)
        rows[i] = ring + etn_slot(y, i) * length;
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

static inline void etn_fill_line(etn_line *to, int8_t value, int32_t length)
{
    const etn_line element = (etn_line)(value * ETN_LINE_UNIT);
    for (; length >= 4; length -= 4, to += 4)
        to[0] = to[1] = to[2] = to[3] = element;
    for (; length; length--)
        *to++ = element;
}

#endif
