/* How the kernels for Cortex-M with the DSP extension hold rows between convolutions: 16 bits a value, so that SMLAD
 * multiplies two at once.
 *
 * A line is [channel][column], its pitch a multiple of what four outputs read, and two columns; the values are its
 * upper bytes, and the lower ones 0. An operand is [four
 * columns][pair of channels][column][channel of the pair]; two channels are a pair if one instruction widens their
 * weights together. Four columns may be of two rows; then there is room for three behind the last.
 */
#ifndef ETN_LINE_H
#define ETN_LINE_H

#include "etn_model.h"

#if !defined(__ARM_FEATURE_DSP) || !defined(__thumb2__)
#error "these kernels need a Cortex-M4, M7 or M33 with DSP; export with --kernels portable for others"
#endif

typedef int16_t etn_line;
#define ETN_LINE_UNIT 256 /* what a value 1 is in a line; an operand has it as it is */

static inline int32_t etn_pitch(int32_t columns, int32_t stride)
{
    return etn_round_up(columns, 4 * stride) + 2;
}

static inline int32_t etn_operand_length(const etn_layer *layer, int32_t rows)
{
    const int32_t columns = layer->in_columns, behind = columns % 4 ? 3 : 0;
    return etn_round_up(layer->inputs, 8) * etn_round_up(columns * rows + behind, 4);
}

/* Where channel c of eight lies among their 16-bit values for one column: twice its pair, plus which of the pair. */
static inline int32_t etn_place(const etn_layer *layer, int32_t c)
{
    if (layer->bits == 4) /* pairs 04 15 26 37 */
        return (c & 3) * 2 + (c >> 2);
    return (c & 4) + (c & 1) * 2 + (c >> 1 & 1); /* pairs 02 13 46 57 */
}

static inline int32_t etn_operand_index(const etn_layer *layer, int32_t c, int32_t x)
{
    const int32_t place = etn_place(layer, c & 7);
    return x / 4 * 4 * etn_round_up(layer->inputs, 8) + c / 8 * 32 + place / 2 * 8 + x % 4 * 2 + place % 2;
}

#endif
