/* The inner loops, one per file: what a set of kernels for a certain processor replaces.
 *
 * `pitch` is the distance in bytes from a channel of a row to the next. `widened` holds the weights of the
 * output channels in work, as bytes; tools/export_c.py makes the room that the set of kernels asks for.
 */
#ifndef ETN_KERNELS_H
#define ETN_KERNELS_H

#include "etn_model.h"

/* Weights of one output channel as int8: where they lie if they have 8 bits, else widened into `widened`
 * (layer->taps bytes). */
const int8_t *etn_weights(const etn_layer *layer, int32_t channel, int8_t *widened);

/* Convolution 3x3 of three rows [column][channel], padded. */
void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened);

/* The largest of layer->kernel rows, at most 3, of layer->in_columns columns each. */
void etn_maxpool_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out);

/* Depthwise convolution 3x3 of three padded rows. A shortcut is the middle one. Columns of the output are
 * `out_step` apart. */
void etn_depthwise_row(const etn_layer *layer, const int8_t *const rows[3], int32_t pitch, int8_t *out,
                       int32_t out_pitch, int32_t out_step, int8_t *widened);

/* Convolution 1x1 of a row [column][channel]; shortcut (NULL without) and output are [channel][column] with
 * their pitches. */
void etn_pointwise_row(const etn_layer *layer, const int8_t *row, const int8_t *shortcut, int32_t shortcut_pitch,
                       int8_t *out, int32_t out_pitch, int8_t *widened);

/* Convolution 1x1 of a row [column][channel] with int32 outputs, [column][channel] too. */
void etn_predict_row(const etn_layer *layer, const int8_t *row, int32_t *out, int8_t *widened);

/* Global average of a map. */
void etn_average(const etn_layer *layer, const int8_t *map, int8_t *out);

/* Fully connected layer with int32 outputs. */
void etn_dense(const etn_layer *layer, const int8_t *in, int32_t *out, int8_t *widened);

#endif
