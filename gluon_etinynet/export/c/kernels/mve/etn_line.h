/* How the kernels for Cortex-M with the vector extension (Helium) hold rows between convolutions: as bytes, sixteen of
 * which one instruction multiplies by sixteen and adds up.
 *
 * A line is [channel][column]. An operand is [four columns][sixteen channels][column][channel]; four columns may be of
 * two rows; then there is room for three behind the last. The channels behind a layer's last are 0.
 */
#ifndef ETN_LINE_H
#define ETN_LINE_H

#include "etn_model.h"

#if !defined(__ARM_FEATURE_MVE) || defined(__ARM_BIG_ENDIAN)
#error "these kernels need a Cortex-M55 or M85 and -mfloat-abi=hard; export with --kernels portable for others"
#endif

typedef int8_t etn_line;
#define ETN_LINE_UNIT 1 /* what a value 1 is in a line; an operand has it as it is */

static inline int32_t etn_pitch(int32_t columns, int32_t stride)
{
    return etn_round_up(columns, 4 * stride) + 2;
}

static inline int32_t etn_operand_length(const etn_layer *layer, int32_t rows)
{
    const int32_t columns = layer->in_columns, behind = columns % 4 ? 3 : 0;
    return etn_round_up(layer->inputs, 16) * etn_round_up(columns * rows + behind, 4);
}

static inline int32_t etn_operand_index(const etn_layer *layer, int32_t c, int32_t x)
{
    return x / 4 * 4 * etn_round_up(layer->inputs, 16) + c / 16 * 64 + x % 4 * 16 + c % 16;
}

#endif
