/* A detector's further map, fused by rows: pointwise, depthwise. */
#include "etn_rows.h"
#include "etn_schedule.h"

static void depthwise_row(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened, int32_t row)
{
    const etn_layer *const depthwise = model->layer + step->layer + 1;
    const int32_t pitch = depthwise->in_columns + 2;
    int8_t *const out = buffers + step->target + row * depthwise->outputs * depthwise->columns;
    const int8_t *rows[3];
    etn_around(buffers + step->middle, row * depthwise->stride, depthwise->inputs * pitch, rows);
    etn_depthwise_row(depthwise, rows, pitch, out, depthwise->columns, 1, widened);
    ETN_OBSERVE(model, depthwise, out, depthwise->columns, 1);
}

void etn_extra(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened)
{
    const etn_layer *const pointwise = model->layer + step->layer, *const depthwise = pointwise + 1;
    const int32_t pitch = depthwise->in_columns + 2, bytes = depthwise->inputs * pitch;
    int8_t *const ring = buffers + step->middle;
    etn_fill(ring, depthwise->in_zero_point, 3 * bytes);
    for (int32_t y = 0; y < pointwise->rows; y++) {
        int8_t *const out = ring + y % 3 * bytes + 1;
        etn_transpose(pointwise, buffers + step->source + y * pointwise->inputs * pointwise->columns,
                      buffers + step->row);
        etn_pointwise_row(pointwise, buffers + step->row, NULL, 0, out, pitch, widened);
        ETN_OBSERVE(model, pointwise, out, pitch, 1);
        if (etn_row_after(depthwise, y) >= 0)
            depthwise_row(model, step, buffers, widened, etn_row_after(depthwise, y));
    }
    const int32_t below = pointwise->rows;
    if (etn_row_after(depthwise, below) >= 0) {
        etn_fill(ring + below % 3 * bytes, depthwise->in_zero_point, bytes);
        depthwise_row(model, step, buffers, widened, etn_row_after(depthwise, below));
    }
}
