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
    int8_t *in, *depthwise, *middle, *target, *widened;
    int32_t in_bytes, middle_bytes; /* of a row of the rings */
} block;

static void second_row(const block *b, int32_t row)
{
    const etn_layer *const second = b->second;
    int8_t *const out = b->target + row * second->outputs * second->columns;
    const int8_t *rows[3];
    etn_around(b->middle, row, b->middle_bytes, rows);
    etn_depthwise_row(second, rows, second->in_columns + 2, out, second->columns, 1, b->widened);
    ETN_OBSERVE(b->model, second, out, second->columns, 1);
}

static void first_row(const block *b, int32_t row)
{
    const etn_layer *const first = b->first, *const pointwise = b->pointwise;
    const int32_t in_pitch = first->in_columns + 2, pitch = pointwise->columns + 2;
    const int8_t *rows[3];
    etn_around(b->in, row * first->stride, b->in_bytes, rows);
    etn_depthwise_row(first, rows, in_pitch, b->depthwise, 1, first->outputs, b->widened);
    ETN_OBSERVE(b->model, first, b->depthwise, 1, first->outputs);

    int8_t *const out = b->middle + row % 3 * b->middle_bytes + 1;
    etn_pointwise_row(pointwise, b->depthwise, pointwise->shortcut ? rows[1] + 1 : NULL, in_pitch, out, pitch,
                      b->widened);
    ETN_OBSERVE(b->model, pointwise, out, pitch, 1);

    if (row > 0)
        second_row(b, row - 1);
    if (row + 1 == pointwise->rows) {
        etn_fill(b->middle + (row + 1) % 3 * b->middle_bytes, b->second->in_zero_point, b->middle_bytes);
        second_row(b, row);
    }
}

static void copy_row(const etn_layer *first, const int8_t *from, int8_t *to)
{
    for (int32_t c = 0; c < first->inputs; c++)
        memcpy(to + c * (first->in_columns + 2) + 1, from + c * first->in_columns, first->in_columns);
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
    b.in = buffers + step->in;
    b.depthwise = buffers + step->depthwise;
    b.middle = buffers + step->middle;
    b.target = buffers + step->target;
    b.widened = widened;
    b.in_bytes = first->inputs * (first->in_columns + 2);
    b.middle_bytes = b.second->inputs * (b.second->in_columns + 2);
    etn_fill(b.in, first->in_zero_point, 3 * b.in_bytes);
    etn_fill(b.middle, b.second->in_zero_point, 3 * b.middle_bytes);
    for (int32_t y = 0; y <= first->in_rows; y++) {
        int8_t *const slot = b.in + y % 3 * b.in_bytes;
        if (y < first->in_rows)
            copy_row(first, source + y * first->inputs * first->in_columns, slot);
        else
            etn_fill(slot, first->in_zero_point, b.in_bytes);
        if (etn_row_after(first, y) >= 0)
            first_row(&b, etn_row_after(first, y));
    }
}
