/* What a detector adds to the blocks: a further map, and predictors decoded row by row. */
#include "etn_rows.h"
#include "etn_schedule.h"

/* From [channel][column] to [column][channel]. */
static void transpose(const etn_layer *layer, const int8_t *from, int8_t *to)
{
    const int32_t inputs = layer->inputs, columns = layer->in_columns;
    for (int32_t c = 0; c < inputs; c++)
        for (int32_t x = 0; x < columns; x++)
            to[x * inputs + c] = *from++;
}

void etn_predict(const etn_model *model, const etn_step *step, const etn_level *level, etn_ranking *ranking,
                 int8_t *buffers, int8_t *widened)
{
    const etn_layer *const classes = model->layer + step->layer, *const boxes = classes + 1;
    int8_t *const row = buffers + step->row;
    int32_t *const logits = (int32_t *)(void *)(buffers + step->scores);
    int32_t *const offsets = (int32_t *)(void *)(buffers + step->offsets);
    int32_t anchor = level->first;
    for (int32_t y = 0; y < classes->rows; y++) {
        transpose(classes, buffers + step->source + y * classes->inputs * classes->columns, row);
        etn_predict_row(classes, row, logits, widened);
        ETN_OBSERVE(model, classes, logits, 1, classes->outputs);
        etn_predict_row(boxes, row, offsets, widened);
        ETN_OBSERVE(model, boxes, offsets, 1, boxes->outputs);
        for (int32_t x = 0; x < classes->columns; x++, anchor += level->anchors)
            etn_decode_cell(model->detector, level, y, x, anchor, logits + x * classes->outputs,
                            offsets + x * boxes->outputs, ranking);
    }
}

static void depthwise_row(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened,
                          int32_t row)
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
        transpose(pointwise, buffers + step->source + y * pointwise->inputs * pointwise->columns,
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
