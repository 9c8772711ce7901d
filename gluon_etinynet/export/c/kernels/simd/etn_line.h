/* How the kernels for vectors of 128 bits hold rows between convolutions: as int16, which one instruction multiplies
 * and adds in pairs. An operand is [column][channel], the channels rounded up to eight. */
#ifndef ETN_LINE_H
#define ETN_LINE_H

#include "etn_model.h"

typedef int16_t etn_line;
#define ETN_LINE_UNIT 1 /* what a value 1 is in a line; an operand has it as it is */

/* Distance from a channel of a line to the next: four outputs read 8 values from stride times their place on. */
static inline int32_t etn_pitch(int32_t columns, int32_t stride)
{
    return etn_round_up(columns, 4 * stride) + 8;
}

static inline int32_t etn_operand_length(const etn_layer *layer, int32_t rows)
{
    return etn_round_up(layer->inputs, 8) * layer->in_columns * rows;
}

static inline int32_t etn_operand_index(const etn_layer *layer, int32_t c, int32_t x)
{
    return x * etn_round_up(layer->inputs, 8) + c;
}

#endif
