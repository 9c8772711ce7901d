/* Stages fused by rows, and the hook through which tests and benchmarks watch them. */
#ifndef ETN_SCHEDULE_H
#define ETN_SCHEDULE_H

#include "etn_kernels.h"
#include "etn_ranking.h"

/* Prepare the stem's lines and weights for a new image. */
void etn_stem_begin(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened);

/* Take image row `y`, [column][channel], and compute what can be computed now. */
void etn_stem_push(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened, int32_t y,
                   const int8_t *row);

/* Run a linear or dense linear depthwise block over the whole map, in place. */
void etn_block(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened);

/* Run a level's predictors and rank what they find. */
void etn_predict(const etn_model *model, const etn_step *step, const etn_level *level, etn_ranking *ranking,
                 int8_t *buffers, int8_t *widened);

/* How a row lies in memory: int8 [channel][column]; a line; in an operand of the layer behind it; int32
 * [column][channel]. */
typedef enum { ETN_OF_MAP, ETN_OF_LINE, ETN_OF_OPERAND, ETN_OF_WIDE } etn_form;

/* Compiled in with -DETN_OBSERVED only: called after each row that a layer has computed, in order of execution.
 * `pitch` is that of a map's or a line's channels; of an operand it is the first column. */
#ifdef ETN_OBSERVED
void etn_observe(const etn_model *model, const etn_layer *layer, const void *row, etn_form form, int32_t pitch);
#define ETN_OBSERVE(model, layer, row, form, pitch) etn_observe(model, layer, row, form, pitch)
#else
#define ETN_OBSERVE(model, layer, row, form, pitch) ((void)0)
#endif

#endif
