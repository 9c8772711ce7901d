/* How the portable kernels hold rows between convolutions: as bytes, an operand as [column][channel]. */
#ifndef ETN_LINE_H
#define ETN_LINE_H

#include "etn_model.h"

typedef int8_t etn_line;
#define ETN_LINE_UNIT 1 /* what a value 1 is in a line; an operand has it as it is */

/* Distance from a channel of a line to the next, for a reader of so many columns and this stride. */
static inline int32_t etn_pitch(int32_t columns, int32_t stride)
{
    (void)stride;
    return columns + 2;
}

/* Elements of an operand of `layer` for so many rows. */
static inline int32_t etn_operand_length(const etn_layer *layer, int32_t rows)
{
    return layer->inputs * layer->in_columns * rows;
}

/* Where channel c, column x lies in an operand of `layer`. */
static inline int32_t etn_operand_index(const etn_layer *layer, int32_t c, int32_t x)
{
    return x * layer->inputs + c;
}

#endif
