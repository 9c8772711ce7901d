/* A level of a detector: predictors, decoded row by row. */
#include "etn_rows.h"
#include "etn_schedule.h"

void etn_predict(const etn_model *model, const etn_step *step, const etn_level *level, etn_ranking *ranking,
                 int8_t *buffers, int8_t *widened)
{
    const etn_layer *const classes = model->layer + step->layer, *const boxes = classes + 1;
    etn_line *const operand = etn_lines(buffers, step->row);
    int32_t *const logits = (int32_t *)(void *)(buffers + step->scores);
    int32_t *const offsets = (int32_t *)(void *)(buffers + step->offsets);
    int32_t anchor = level->first;
    etn_fill_line(operand, 0, etn_operand_length(classes, 1));
    for (int32_t y = 0; y < classes->rows; y++) {
        etn_to_operand(classes, buffers + step->source + y * classes->inputs * classes->columns, operand);
        etn_predict_row(classes, operand, logits, widened);
        ETN_OBSERVE(model, classes, logits, ETN_OF_WIDE, 0);
        etn_predict_row(boxes, operand, offsets, widened);
        ETN_OBSERVE(model, boxes, offsets, ETN_OF_WIDE, 0);
        for (int32_t x = 0; x < classes->columns; x++, anchor += level->anchors)
            etn_decode_cell(model->detector, level, y, x, anchor, logits + x * classes->outputs,
                            offsets + x * boxes->outputs, ranking);
    }
}
