/* From a camera's rows to the network's, without a frame buffer: docs/numerics.md section 10.
 *
 * One row of sums is held. By area they are what has come so far of the image row in work; bilinearly, the last row of
 * the centre, resampled along its columns.
 */
#include "etn_camera.h"

#include <string.h>

#include "etn_state.h"

typedef struct {
    const etn_camera *camera;
    int32_t columns; /* of the image */
    const uint8_t *row;
    uint32_t *sums;
    int8_t *image_row;
} line;

/* What a row of the centre does: image row = sum_to_image * sums + row_to_image * row, unless it has none to complete;
 * then sums = sum_to_sum * sums + row_to_sum * row. */
typedef struct {
    uint32_t sum_to_image, row_to_image, sum_to_sum, row_to_sum;
    int completes;
} blend;

static inline void put_value(const line *of, const blend *by, int32_t i, uint32_t value)
{
    const uint32_t sum = of->sums[i];
    if (by->completes) {
        const uint32_t total = by->sum_to_image * sum + by->row_to_image * value;
        const uint64_t pixel = ((uint64_t)total * of->camera->inverse + 0x80000000u) >> 32;
        of->image_row[i] = (int8_t)((int32_t)pixel - 128);
    }
    of->sums[i] = by->sum_to_sum * sum + by->row_to_sum * value;
}

static inline void put(const line *of, const blend *by, int32_t x, etn_pixel value)
{
    put_value(of, by, 3 * x, value.red);
    put_value(of, by, 3 * x + 1, value.green);
    put_value(of, by, 3 * x + 2, value.blue);
}

static inline etn_pixel plus(etn_pixel sum, etn_pixel more, uint32_t weight)
{
    sum.red += weight * more.red;
    sum.green += weight * more.green;
    sum.blue += weight * more.blue;
    return sum;
}

static const etn_pixel nothing = {0, 0, 0};

/* Columns by area. */
static void reduce(const line *of, const blend *by)
{
    const uint32_t whole = (uint32_t)of->columns;
    int32_t at = of->camera->left;
    uint32_t left = whole; /* of the pixel */
    etn_pixel pixel = etn_pixel_at(of->row, at);
    for (int32_t x = 0; x < of->columns; x++) {
        uint32_t wanted = of->camera->columns;
        etn_pixel sum = nothing;
        for (; wanted > left; left = whole) {
            sum = plus(sum, pixel, left);
            wanted -= left;
            pixel = etn_pixel_at(of->row, ++at);
        }
        left -= wanted;
        put(of, by, x, plus(sum, pixel, wanted));
    }
}

/* Columns bilinearly. */
static void enlarge(const line *of, const blend *by)
{
    const uint32_t whole = 2 * (uint32_t)of->columns, step = 2 * (uint32_t)of->camera->columns;
    const int32_t last = of->camera->left + of->camera->columns - 1;
    int32_t at = of->camera->left;
    uint32_t fraction = ((uint32_t)of->columns + of->camera->columns);
    etn_pixel before = etn_pixel_at(of->row, at), behind = before;
    for (int32_t x = 0; x < of->columns; x++) {
        if (fraction >= whole) {
            fraction -= whole;
            before = behind;
            if (at < last)
                behind = etn_pixel_at(of->row, ++at);
        }
        put(of, by, x, plus(plus(nothing, before, whole - fraction), behind, fraction));
        fraction += step;
    }
}

static void apply(const line *of, const blend *by, etn_state *s)
{
    if (of->camera->columns >= of->columns)
        reduce(of, by);
    else
        enlarge(of, by);
    if (by->completes)
        etn_push(s, of->image_row);
}

/* Row y of the centre, rows by area: it belongs to the image row in work, and what is left of it to the next. */
static void reduce_rows(const line *of, uint32_t y, etn_state *s)
{
    const uint32_t rows = s->model->layer->in_rows, end = (y + 1) * rows, wanted = (s->rows + 1) * of->camera->rows;
    blend by = {1, 0, 1, rows, end >= wanted};
    if (by.completes) {
        by.sum_to_sum = 0;
        by.row_to_sum = end - wanted;
        by.row_to_image = rows - by.row_to_sum;
    }
    apply(of, &by, s);
}

/* Row y of the centre, rows bilinearly: it completes the image rows between the row above and its own, at least one. */
static void enlarge_rows(const line *of, uint32_t y, etn_state *s)
{
    const uint32_t rows = s->model->layer->in_rows, source = of->camera->rows, whole = 2 * rows;
    uint32_t fraction = (2 * s->rows + 1) * source + rows - whole * y;
    int more = 1;
    while (more) {
        const uint32_t below = y == 0 || fraction > whole ? whole : fraction;
        fraction += 2 * source;
        more = s->rows + 1 < rows && (fraction < whole || y + 1 == source);
        const blend by = {whole - below, below, (uint32_t)more, (uint32_t)!more, 1};
        apply(of, &by, s);
    }
}

etn_status etn_camera_begin(const etn_model *model, void *arena)
{
    etn_state *const s = (etn_state *)arena;
    const etn_status status = etn_check(model, arena);
    if (status != ETN_OK)
        return status;
    if (!etn_is_pushed(s))
        return ETN_WRONG_INPUT;
    const int is_cut_off = s->in_frame && !s->torn && s->frame_rows > 0 && s->frame_rows < model->camera->height;
    s->in_frame = 1;
    s->frame_rows = s->torn = 0;
    s->rows = 0;
    memset(etn_buffers(s) + s->plan->row, 0, 3 * sizeof(uint32_t) * model->layer->in_columns);
    return is_cut_off ? ETN_TOO_FEW_ROWS : ETN_OK;
}

static etn_status tear(etn_state *s, etn_status status)
{
    s->torn = (uint8_t)status;
    return status;
}

etn_status etn_camera_row(const etn_model *model, void *arena, const uint8_t *row, size_t bytes)
{
    etn_state *const s = (etn_state *)arena;
    const etn_status status = etn_check_row(model, arena, row);
    if (status != ETN_OK)
        return status;
    if (!s->in_frame)
        return ETN_NO_FRAME;
    const etn_camera *const camera = model->camera;
    if (s->torn)
        return (etn_status)s->torn;
    if (bytes != camera->row_bytes)
        return tear(s, ETN_TORN_ROW);
    if (s->frame_rows >= camera->height)
        return tear(s, ETN_TOO_MANY_ROWS);
    const uint32_t y = (uint32_t)s->frame_rows++ - camera->top;
    if (y >= camera->rows) /* above the centre, where y has wrapped round, or below it */
        return ETN_OK;
    line of;
    of.camera = camera;
    of.columns = model->layer->in_columns;
    of.row = row;
    of.sums = (uint32_t *)(void *)(etn_buffers(s) + s->plan->row);
    of.image_row = (int8_t *)(of.sums + 3 * of.columns);
    if (camera->rows >= model->layer->in_rows)
        reduce_rows(&of, y, s);
    else
        enlarge_rows(&of, y, s);
    return ETN_OK;
}
