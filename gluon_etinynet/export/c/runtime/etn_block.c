/* A (dense) linear depthwise block, fused by rows: depthwise, pointwise, depthwise.
 *
 * A band is a few rows that are computed together, so that the pointwise weights are widened once for all of them.
 * Its input rows go into a ring; its rows of the first convolution are operands of the pointwise one, whose rows go
 * into a second ring; from there come the rows of the second convolution, which overwrite input rows that were copied
 * before.
 */
#include "etn_rows.h"
#include "etn_schedule.h"

typedef struct {
    etn_line *lines;
    int32_t rows, pitch, length; /* elements of a channel, of a row */
} ring;

typedef struct {
    const etn_model *model;
    const etn_layer *first, *pointwise, *second;
    ring in, middle;
    etn_line *operand;
    const int8_t *source;
    int8_t *target, *widened;
    int32_t taken; /* input rows in the ring so far */
} block;

static ring ring_for(const etn_layer *reader, etn_line *lines, int32_t rows)
{
    ring of;
    of.lines = lines;
    of.rows = rows;
    of.pitch = etn_pitch(reader->in_columns, reader->stride);
    of.length = reader->inputs * of.pitch;
    etn_fill_line(lines, reader->in_zero_point, rows * of.length);
    return of;
}

/* Row y of a ring, which may be -1. */
static etn_line *at(const ring *of, int32_t y)
{
    return of->lines + (y + of->rows) % of->rows * of->length;
}

static void around(const ring *of, int32_t y, const etn_line *rows[3])
{
    rows[0] = at(of, y - 1);
    rows[1] = at(of, y);
    rows[2] = at(of, y + 1);
}

/* Take input rows up to y; what lies below the last is padding. */
static void take(block *b, int32_t y)
{
    const etn_layer *const first = b->first;
    for (; b->taken <= y; b->taken++) {
        etn_line *const to = at(&b->in, b->taken);
        if (b->taken < first->in_rows)
            etn_to_line(first, b->source + b->taken * first->inputs * first->in_columns, to);
        else
            etn_fill_line(to, first->in_zero_point, b->in.length);
    }
}

static void second_row(const block *b, int32_t row)
{
    const etn_layer *const second = b->second;
    int8_t *const out = b->target + row * second->outputs * second->columns;
    const etn_line *rows[3];
    around(&b->middle, row, rows);
    etn_depthwise_map(second, rows, out, b->widened);
    ETN_OBSERVE(b->model, second, out, ETN_OF_MAP, second->columns);
}

/* `count` rows from `row` on, and those above that they complete. */
static void band(block *b, int32_t row, int32_t count)
{
    const etn_layer *const first = b->first, *const pointwise = b->pointwise;
    etn_pointwise_io io[ETN_MOST_ROWS];
    for (int32_t i = 0; i < count; i++) {
        const etn_line *rows[3];
        take(b, (row + i) * first->stride + 1);
        around(&b->in, (row + i) * first->stride, rows);
        etn_depthwise_operand(first, rows, b->operand, i * first->columns, b->widened);
        ETN_OBSERVE(b->model, first, b->operand, ETN_OF_OPERAND, i * first->columns);
        io[i].shortcut = pointwise->shortcut ? rows[1] + 1 : NULL;
        io[i].out = at(&b->middle, row + i) + 1;
    }
    etn_pointwise_rows(pointwise, b->operand, io, count, b->in.pitch, b->middle.pitch, b->widened);
    for (int32_t i = 0; i < count; i++)
        ETN_OBSERVE(b->model, pointwise, io[i].out, ETN_OF_LINE, b->middle.pitch);

    const int32_t next = row + count;
    for (int32_t y = row ? row - 1 : 0; y < next - 1; y++)
        second_row(b, y);
    if (next == pointwise->rows) {
        etn_fill_line(at(&b->middle, next), b->second->in_zero_point, b->middle.length);
        second_row(b, next - 1);
    }
}

void etn_block(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened)
{
    const etn_layer *const first = model->layer + step->layer;
    const int32_t rows = (int32_t)step->rows, all = first[1].rows;
    block b;
    b.model = model;
    b.first = first;
    b.pointwise = first + 1;
    b.second = first + 2;
    b.in = ring_for(first, etn_lines(buffers, step->in), (rows - 1) * first->stride + 3);
    b.middle = ring_for(b.second, etn_lines(buffers, step->middle), rows + 2);
    b.operand = etn_lines(buffers, step->depthwise);
    b.source = buffers + step->source;
    b.target = buffers + step->target;
    b.widened = widened;
    b.taken = 0;
    etn_fill_line(b.operand, 0, etn_operand_length(b.pointwise, rows));
    for (int32_t row = 0; row < all; row += rows)
        band(&b, row, all - row < rows ? all - row : rows);
}
