/* The stem: convolution and max pooling, fused by rows. */
#include "etn_rows.h"
#include "etn_schedule.h"

static int32_t in_bytes(const etn_layer *conv)
{
    return (conv->in_columns + 2) * conv->inputs;
}

static void convolve(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened, int32_t row)
{
    const etn_layer *const conv = model->layer + step->layer, *const pool = conv + 1;
    const int32_t conv_bytes = conv->outputs * conv->columns, pool_bytes = pool->outputs * pool->columns;
    int8_t *const ring = buffers + step->middle;
    int8_t *const out = ring + row % 3 * conv_bytes;
    const int8_t *rows[3];
    for (int32_t i = 0; i < 3; i++)
        rows[i] = buffers + step->in + etn_slot(row * conv->stride, i) * in_bytes(conv);
    etn_stem_row(conv, rows, out, widened);
    ETN_OBSERVE(model, conv, out, ETN_OF_MAP, conv->columns);

    const int32_t top = row - pool->kernel + 1, pooled = top / pool->stride;
    if (top < 0 || pooled * pool->stride != top)
        return;
    for (int32_t i = 0; i < 3; i++)
        rows[i] = ring + (top + i) % 3 * conv_bytes;
    int8_t *const target = buffers + step->target + pooled * pool_bytes;
    etn_maxpool_row(pool, rows, target);
    ETN_OBSERVE(model, pool, target, ETN_OF_MAP, pool->columns);
}

void etn_stem_begin(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened)
{
    const etn_layer *const conv = model->layer + step->layer;
    etn_fill(buffers + step->in, conv->in_zero_point, 3 * in_bytes(conv));
    etn_stem_weights(conv, widened);
}

void etn_stem_push(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened, int32_t y,
                   const int8_t *row)
{
    const etn_layer *const conv = model->layer + step->layer;
    const int32_t bytes = in_bytes(conv);
    int8_t *const ring = buffers + step->in;
    memcpy(ring + y % 3 * bytes + conv->inputs, row, (size_t)(conv->in_columns * conv->inputs));
    if (etn_row_after(conv, y) >= 0)
        convolve(model, step, buffers, widened, etn_row_after(conv, y));
    if (++y == conv->in_rows && etn_row_after(conv, y) >= 0) {
        etn_fill(ring + y % 3 * bytes, conv->in_zero_point, bytes);
        convolve(model, step, buffers, widened, etn_row_after(conv, y));
    }
}
