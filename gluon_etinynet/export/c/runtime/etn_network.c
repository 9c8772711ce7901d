/* A whole network on a caller's arena, and every check of what the caller does. */
#include "etn_schedule.h"
#include "etn_state.h"

#define MAGIC 0x45744e31u /* "EtN1" */

typedef char state_fits[sizeof(etn_state) <= ETN_STATE_BYTES ? 1 : -1];

static int is_misaligned(const void *arena)
{
    return (uintptr_t)arena % ETN_ALIGNMENT != 0;
}

etn_status etn_check(const etn_model *model, const void *arena)
{
    const etn_state *const s = (const etn_state *)arena;
    if (arena == NULL)
        return ETN_NULL_POINTER;
    if (is_misaligned(arena))
        return ETN_MISALIGNED;
    if (s->magic != MAGIC || s->model != model)
        return ETN_NOT_INITIALISED;
    return s->running ? ETN_BUSY : ETN_OK;
}

size_t etn_arena_bytes(const etn_model *model, etn_input input)
{
    return input == ETN_STORED || input == ETN_PUSHED ? model->plan[input].arena_bytes : 0;
}

etn_status etn_init(const etn_model *model, void *arena, size_t bytes, etn_input input)
{
    etn_state *const s = (etn_state *)arena;
    if (arena == NULL)
        return ETN_NULL_POINTER;
    if (model->version != ETN_VERSION)
        return ETN_WRONG_VERSION;
    if (input != ETN_STORED && input != ETN_PUSHED)
        return ETN_WRONG_ARGUMENT;
    if (is_misaligned(arena))
        return ETN_MISALIGNED;
    if (bytes < model->plan[input].arena_bytes)
        return ETN_ARENA_TOO_SMALL;
    s->magic = MAGIC;
    s->rows = 0;
    s->model = model;
    s->plan = &model->plan[input];
    s->frame_rows = s->in_frame = s->torn = s->running = 0;
    return ETN_OK;
}

int8_t *etn_image(const etn_model *model, void *arena)
{
    etn_state *const s = (etn_state *)arena;
    if (etn_check(model, arena) != ETN_OK || etn_is_pushed(s))
        return NULL;
    s->rows = ETN_IMAGE_IN_ARENA;
    return etn_buffers(s) + s->plan->steps->source;
}

void etn_push(etn_state *s, const int8_t *row)
{
    int8_t *const buffers = etn_buffers(s), *const widened = buffers + s->plan->widened;
    if (s->rows == 0)
        etn_stem_begin(s->model, s->plan->steps, buffers, widened);
    etn_stem_push(s->model, s->plan->steps, buffers, widened, (int32_t)s->rows, row);
    s->rows++;
}

etn_status etn_push_row(const etn_model *model, void *arena, const int8_t *row)
{
    etn_state *const s = (etn_state *)arena;
    const etn_status status = etn_check_row(model, arena, row);
    if (status != ETN_OK)
        return status;
    if (s->in_frame)
        return ETN_WRONG_INPUT;
    if (s->rows >= model->layer->in_rows)
        return ETN_TOO_MANY_ROWS;
    etn_push(s, row);
    return ETN_OK;
}

static void stem_of_stored(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened)
{
    const etn_layer *const conv = model->layer;
    const int8_t *row = buffers + step->source;
    etn_stem_begin(model, step, buffers, widened);
    for (int32_t y = 0; y < conv->in_rows; y++, row += conv->in_columns * conv->inputs)
        etn_stem_push(model, step, buffers, widened, y, row);
}

static void head(const etn_model *model, const etn_step *step, int8_t *buffers, int8_t *widened, int32_t *logits)
{
    const etn_layer *const average = model->layer + step->layer, *const dense = average + 1;
    etn_average(average, buffers + step->source, buffers + step->target);
    ETN_OBSERVE(model, average, buffers + step->target, ETN_OF_MAP, 1);
    etn_dense(dense, buffers + step->target, logits, widened);
    ETN_OBSERVE(model, dense, logits, ETN_OF_WIDE, 0);
}

/* Why there is no image to run on; else ETN_OK. */
static etn_status why_not(const etn_state *s)
{
    if (!etn_is_pushed(s))
        return s->rows == ETN_IMAGE_IN_ARENA ? ETN_OK : ETN_NO_IMAGE;
    if (s->torn)
        return (etn_status)s->torn;
    if (s->rows != s->model->layer->in_rows || (s->in_frame && s->frame_rows != s->model->camera->height))
        return ETN_TOO_FEW_ROWS;
    return ETN_OK;
}

etn_ranking etn_ranking_of(etn_state *s)
{
    const etn_step *const last = s->plan->steps + s->model->steps - 1;
    const etn_ranking ranking = {
        .candidates = (etn_candidate *)(void *)(etn_buffers(s) + last->candidates),
        .most = s->model->detector->candidates,
    };
    return ranking;
}

void etn_run_step(etn_state *s, const etn_step *step, etn_results *to)
{
    int8_t *const buffers = etn_buffers(s), *const widened = buffers + s->plan->widened;
    if (step->kind == ETN_BLOCK)
        etn_block(s->model, step, buffers, widened);
    else if (step->kind == ETN_HEAD)
        head(s->model, step, buffers, widened, to->logits);
    else
        etn_predict(s->model, step, to->level++, to->ranking, buffers, widened);
}

/* A classifier fills `logits`, a detector `ranking`; the other is NULL. The arena stays in use: the caller says when it
 * has taken what it needs. */
static etn_status run(etn_state *s, int32_t *logits, etn_ranking *ranking)
{
    s->running = 1;
    const etn_status status = why_not(s);
    if (status != ETN_OK)
        return status;
    s->rows = 0;
    s->in_frame = 0;

    int8_t *const buffers = etn_buffers(s), *const widened = buffers + s->plan->widened;
    const etn_step *const steps = s->plan->steps;
    etn_results results = {logits, ranking, ranking ? s->model->detector->level : NULL};
    if (!etn_is_pushed(s))
        stem_of_stored(s->model, steps, buffers, widened);
    for (int32_t i = 1; i < s->model->steps; i++)
        etn_run_step(s, steps + i, &results);
    return ETN_OK;
}

etn_status etn_run(const etn_model *model, void *arena, int32_t *logits)
{
    etn_state *const s = (etn_state *)arena;
    etn_status status = etn_check(model, arena);
    if (status != ETN_OK)
        return status;
    if (logits == NULL)
        return ETN_NULL_POINTER;
    status = run(s, logits, NULL);
    s->running = 0;
    return status;
}

etn_status etn_detect(const etn_model *model, void *arena, etn_detection *found, int32_t *count)
{
    etn_state *const s = (etn_state *)arena;
    etn_status status = etn_check(model, arena);
    if (status != ETN_OK)
        return status;
    if (found == NULL || count == NULL)
        return ETN_NULL_POINTER;
    etn_ranking ranking = etn_ranking_of(s);
    status = run(s, NULL, &ranking);
    if (status == ETN_OK)
        *count = etn_suppress(model->detector, &ranking, found);
    s->running = 0;
    return status;
}
