/* The inner loops, one per file: what a set of kernels for a certain processor replaces.
 *
 * Between convolutions rows are held as each set likes them best (its etn_line.h): a line, [channel][column] with a
 * column of padding before and one or more after it, feeds a 3x3 kernel; an operand, the columns of one or more rows,
 * feeds a 1x1 kernel, in an order of the set's own. `pitch` is the distance in elements from a channel of a line to the
 * next. `widened` is room for the weights of the output channels in work; tools/export_c.py makes as much as the set
 * asks for.
 */
#ifndef ETN_KERNELS_H
#define ETN_KERNELS_H

#include "etn_line.h"

/* Weights of one output channel as int8: where they lie if they have 8 bits, else widened into `widened`
 * (layer->taps bytes). */
const int8_t *etn_weights(const etn_layer *layer, int32_t channel, int8_t *widened);

/* Put the stem's weights into `widened` as etn_stem_row wants them. */
void etn_stem_weights(const etn_layer *layer, int8_t *widened);

/* Convolution 3x3 of three rows [column][channel], padded, to a row [channel][column]. */
void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened);

/* The largest of layer->kernel rows, at most 3, of layer->in_columns columns each. */
void etn_maxpool_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out);

/* A row of a map, [channel][column], as a line for the depthwise convolution `layer`. */
void etn_to_line(const etn_layer *layer, const int8_t *from, etn_line *to);

/* A row of a map, [channel][column], as an operand of the pointwise convolution `layer`. */
void etn_to_operand(const etn_layer *layer, const int8_t *from, etn_line *to);

/* Depthwise convolution 3x3 of three lines, without shortcut, to the columns from `first` on of an operand of the layer
 * behind it. Rows must come in order: what lies behind one may be overwritten. */
void etn_depthwise_operand(const etn_layer *layer, const etn_line *const rows[3], etn_line *operand, int32_t first,
                           int8_t *widened);

/* Depthwise convolution 3x3 of three lines to a row of a map. A shortcut is the middle line. */
void etn_depthwise_map(const etn_layer *layer, const etn_line *const rows[3], int8_t *out, int8_t *widened);

/* Rows of a 1x1 convolution: where each shortcut (NULL without) and each output begins, at a line's first column. */
typedef struct {
    const etn_line *shortcut;
    etn_line *out;
} etn_pointwise_io;

/* Convolution 1x1 of an operand of `count` rows to lines. */
void etn_pointwise_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t count,
                        int32_t shortcut_pitch, int32_t out_pitch, int8_t *widened);

/* Convolution 1x1 of an operand with int32 outputs, [column][channel]. */
void etn_predict_row(const etn_layer *layer, const etn_line *operand, int32_t *out, int8_t *widened);

/* Global average of a map. */
void etn_average(const etn_layer *layer, const int8_t *map, int8_t *out);

/* Fully connected layer with int32 outputs. */
void etn_dense(const etn_layer *layer, const int8_t *in, int32_t *out, int8_t *widened);

#endif
