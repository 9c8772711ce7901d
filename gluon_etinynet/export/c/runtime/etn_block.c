/* A (dense) linear depthwise block, fused by rows: depthwise, pointwise, depthwise.
 *
 * An input row goes into a ring of three. When the ring holds what a row of the first convolution needs, that
 * row and the pointwise row above it are computed, the latter into a second ring of three; likewise the row
 * of the second convolution, which overwrites input rows that were copied before.
 */
#include "etn_rows.h"
#include "etn_schedule.h"

typedef struct {
    const etn_model *model;
    const etn_layer *first, *pointwise, *second;
    etn_line *in, *operand, *middle;
    int8_t *target, *widened;
    int32_t in_pitch, middle_pitch; /* of a channel of a line */
    int32_t in_length, middle_length; /* of a line */
} block;

static void second_row(const block *b, int32_t row)
{
    const etn_layer *const second = b->second;
    int8_t *const out = b->target + row * second->outputs * second->columns;
    const etn_line *rows[3];
    etn_around(b->middle, row, b->middle_length, rows);
    etn_depthwise_map(second, rows, out, b->widened);
    ETN_OBSERVE(b->model, second, out, ETN_OF_MAP, second->columns);
}

static void first_row(const block *b, int32_t row)
{
    const etn_layer *const first = b->first, *const pointwise = b->pointwise;
    const etn_line *rows[3];
    etn_around(b->in, row * first->stride, b->in_length, rows);
    etn_depthwise_operand(first, rows, b->operand, b->widened);
    ETN_OBSERVE(b->model, first, b->operand, ETN_OF_OPERAND, 0);

    etn_line *const out = b->middle + row % 3 * b->middle_length + 1;
    etn_pointwise_row(pointwise, b->operand, pointwise->shortcut ? rows[1] + 1 : NULL, b->in_pitch, out,
                      b->middle_pitch, b->widened);
    ETN_OBSERVE(b->model, pointwise, out, ETN_OF_LINE, b->middle_pitch);

    if (row > 0)
        second_row(b, row - 1);
    if (row + 1 == pointwise->rows) {
        etn_fill_line(b->middle + (row + 1) % 3 * b->middle_length, b->second->in_zero_point, b->middle_length);
        second_row(b, row);
    }
}

void etn_block(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened)
{
    const etn_layer *const first = model->layer + step->layer;
    const int8_t *source = buffers + step->source;
    block b;
    b.model = model;
    b.first = first;
    b.pointwise = first + 1;
    b.second = first + 2;
    b.in = etn_lines(buffers, step->in);
    b.operand = etn_lines(buffers, step->depthwise);
    b.middle = etn_lines(buffers, step->middle);
    b.target = buffers + step->target;
    b.widened = widened;
    b.in_pitch = etn_pitch(first->in_columns, first->stride);
    b.middle_pitch = etn_pitch(b.second->in_columns, b.second->stride);
    b.in_length = first->inputs * b.in_pitch;
    b.middle_length = b.second->inputs * b.middle_pitch;
    etn_fill_line(b.in, first->in_zero_point, 3 * b.in_length);
    etn_fill_line(b.operand, 0, etn_operand_length(b.pointwise));
    etn_fill_line(b.middle, b.second->in_zero_point, 3 * b.middle_length);
    for (int32_t y = 0; y <= first->in_rows; y++) {
        etn_line *const slot = b.in + y % 3 * b.in_length;
        if (y < first->in_rows)
            etn_to_line(first, source + y * first->inputs * first->in_columns, slot);
        else
            etn_fill_line(slot, first->in_zero_point, b.in_length);
        if (etn_row_after(first, y) >= 0)
            first_row(&b, etn_row_after(first, y));
    }
}
