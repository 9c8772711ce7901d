/* A level of a detector: predictors, decoded row by row. */
#include "etn_rows.h"
#include "etn_schedule.h"

void etn_predict(const etn_model *model, const etn_step *step, const etn_level *level, etn_ranking *ranking,
                 int8_t *buffers, int8_t *widened)
{
    const etn_layer *const classes = model->layer + step->layer, *const boxes = classes + 1;
    int8_t *const row = buffers + step->row;
    int32_t *const logits = (int32_t *)(void *)(buffers + step->scores);
    int32_t *const offsets = (int32_t *)(void *)(buffers + step->offsets);
    int32_t anchor = level->first;
    for (int32_t y = 0; y < classes->rows; y++) {
        etn_transpose(classes, buffers + step->source + y * classes->inputs * classes->columns, row);
        etn_predict_row(classes, row, logits, widened);
        ETN_OBSERVE(model, classes, logits, 1, classes->outputs);
        etn_predict_row(boxes, row, offsets, widened);
        ETN_OBSERVE(model, boxes, offsets, 1, boxes->outputs);
        for (int32_t x = 0; x < classes->columns; x++, anchor += level->anchors)
            etn_decode_cell(model->detector, level, y, x, anchor, logits + x * classes->outputs,
                            offsets + x * boxes->outputs, ranking);
    }
}
