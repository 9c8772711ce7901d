/* Stages fused by rows, and the hook through which tests and benchmarks watch them. */
#ifndef ETN_SCHEDULE_H
#define ETN_SCHEDULE_H

#include "etn_kernels.h"

/* Prepare the stem's lines for a new image. */
void etn_stem_begin(const etn_model *model, const etn_step *step, int8_t *buffers);

/* Take image row `y`, [column][channel], and compute what can be computed now. */
void etn_stem_push(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened, int32_t y,
                   const int8_t *row);

/* Run a linear or dense linear depthwise block over the whole map, in place. */
void etn_block(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened);

/* Compiled in with -DETN_OBSERVED only: called after each row that a layer has computed, in order of execution. `row` is
 * int8 [outputs][columns] with `pitch` bytes from channel to channel, int32 if pitch is 0. */
#ifdef ETN_OBSERVED
void etn_observe(const etn_model *model, const etn_layer *layer, const void *row, int32_t pitch);
#define ETN_OBSERVE(model, layer, row, pitch) etn_observe(model, layer, row, pitch)
#else
#define ETN_OBSERVE(model, layer, row, pitch) ((void)0)
#endif

#endif
