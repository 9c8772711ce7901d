/* A detector's further map, fused by rows: pointwise, depthwise. */
#include "etn_rows.h"
#include "etn_schedule.h"

static void depthwise_row(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened, int32_t row)
{
    const etn_layer *const depthwise = model->layer + step->layer + 1;
    const int32_t pitch = etn_pitch(depthwise->in_columns, depthwise->stride);
    int8_t *const out = buffers + step->target + row * depthwise->outputs * depthwise->columns;
    const etn_line *rows[3];
    etn_around(etn_lines(buffers, step->middle), row * depthwise->stride, depthwise->inputs * pitch, rows);
    etn_depthwise_map(depthwise, rows, out, widened);
    ETN_OBSERVE(model, depthwise, out, ETN_OF_MAP, depthwise->columns);
}

void etn_extra(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened)
{
    const etn_layer *const pointwise = model->layer + step->layer, *const depthwise = pointwise + 1;
    const int32_t pitch = etn_pitch(depthwise->in_columns, depthwise->stride), length = depthwise->inputs * pitch;
    etn_line *const ring = etn_lines(buffers, step->middle), *const operand = etn_lines(buffers, step->row);
    etn_fill_line(ring, depthwise->in_zero_point, 3 * length);
    etn_fill_line(operand, 0, etn_operand_length(pointwise, 1));
    for (int32_t y = 0; y < pointwise->rows; y++) {
        etn_line *const out = ring + y % 3 * length + 1;
        etn_to_operand(pointwise, buffers + step->source + y * pointwise->inputs * pointwise->columns, operand);
        const etn_pointwise_io io = {NULL, out};
        etn_pointwise_rows(pointwise, operand, &io, 1, 0, pitch, widened);
        ETN_OBSERVE(model, pointwise, out, ETN_OF_LINE, pitch);
        if (etn_row_after(depthwise, y) >= 0)
            depthwise_row(model, step, buffers, widened, etn_row_after(depthwise, y));
    }
    const int32_t below = pointwise->rows;
    if (etn_row_after(depthwise, below) >= 0) {
        etn_fill_line(ring + below % 3 * length, depthwise->in_zero_point, length);
        depthwise_row(model, step, buffers, widened, etn_row_after(depthwise, below));
    }
}
