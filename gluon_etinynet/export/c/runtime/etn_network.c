/* A whole network on a caller's arena, and every check of what the caller does. */
#include "etn_schedule.h"

#define MAGIC 0x45744e31u /* "EtN1" */
#define IMAGE_IN_ARENA 1u

typedef struct {
    uint32_t magic;
    uint32_t rows; /* of the image, as far as pushed; IMAGE_IN_ARENA if it is stored there */
    const etn_model *model;
    const etn_plan *plan;
} state;

typedef char state_fits[sizeof(state) <= ETN_STATE_BYTES ? 1 : -1];

static int is_misaligned(const void *arena)
{
    return (uintptr_t)arena % ETN_ALIGNMENT != 0;
}

static etn_status check(const etn_model *model, const void *arena)
{
    const state *const s = (const state *)arena;
    if (arena == NULL)
        return ETN_NULL_POINTER;
    if (is_misaligned(arena))
        return ETN_MISALIGNED;
    if (s->magic != MAGIC || s->model != model)
        return ETN_NOT_INITIALISED;
    return ETN_OK;
}

static int is_pushed(const state *s)
{
    return s->plan == &s->model->plan[ETN_PUSHED];
}

static int8_t *buffers_of(void *arena)
{
    return (int8_t *)arena + ETN_STATE_BYTES;
}

size_t etn_arena_bytes(const etn_model *model, etn_input input)
{
    return input == ETN_STORED || input == ETN_PUSHED ? model->plan[input].arena_bytes : 0;
}

etn_status etn_init(const etn_model *model, void *arena, size_t bytes, etn_input input)
{
    state *const s = (state *)arena;
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
    return ETN_OK;
}

int8_t *etn_image(const etn_model *model, void *arena)
{
    state *const s = (state *)arena;
    if (check(model, arena) != ETN_OK || is_pushed(s))
        return NULL;
    s->rows = IMAGE_IN_ARENA;
    return buffers_of(arena) + s->plan->steps->source;
}

etn_status etn_push_row(const etn_model *model, void *arena, const int8_t *row)
{
    state *const s = (state *)arena;
    const etn_status status = check(model, arena);
    if (status != ETN_OK)
        return status;
    if (row == NULL)
        return ETN_NULL_POINTER;
    if (!is_pushed(s))
        return ETN_WRONG_INPUT;
    if (s->rows >= model->layer->in_rows)
        return ETN_TOO_MANY_ROWS;
    int8_t *const buffers = buffers_of(arena), *const widened = buffers + s->plan->widened;
    if (s->rows == 0)
        etn_stem_begin(model, s->plan->steps, buffers, widened);
    etn_stem_push(model, s->plan->steps, buffers, widened, (int32_t)s->rows, row);
    s->rows++;
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

/* A classifier fills `logits`, a detector `ranking`; the other is NULL. */
static etn_status run(const etn_model *model, void *arena, int32_t *logits, etn_ranking *ranking)
{
    state *const s = (state *)arena;
    if (is_pushed(s) && s->rows != model->layer->in_rows)
        return ETN_TOO_FEW_ROWS;
    if (!is_pushed(s) && s->rows != IMAGE_IN_ARENA)
        return ETN_NO_IMAGE;
    s->rows = 0;

    int8_t *const buffers = buffers_of(arena), *const widened = buffers + s->plan->widened;
    const etn_level *level = model->detector ? model->detector->level : NULL;
    const etn_step *step = s->plan->steps;
    if (!is_pushed(s))
        stem_of_stored(model, step, buffers, widened);
    for (int32_t i = 1; i < model->steps; i++) {
        step++;
        if (step->kind == ETN_BLOCK)
            etn_block(model, step, buffers, widened);
        else if (step->kind == ETN_HEAD)
            head(model, step, buffers, widened, logits);
        else
            etn_predict(model, step, level++, ranking, buffers, widened);
    }
    return ETN_OK;
}

etn_status etn_run(const etn_model *model, void *arena, int32_t *logits)
{
    const etn_status status = check(model, arena);
    if (status != ETN_OK)
        return status;
    return logits == NULL ? ETN_NULL_POINTER : run(model, arena, logits, NULL);
}

etn_status etn_detect(const etn_model *model, void *arena, etn_detection *found, int32_t *count)
{
    etn_status status = check(model, arena);
    if (status != ETN_OK)
        return status;
    if (found == NULL || count == NULL)
        return ETN_NULL_POINTER;
    etn_ranking ranking;
    const etn_step *const last = ((const state *)arena)->plan->steps + model->steps - 1;
    ranking.candidates = (etn_candidate *)(void *)(buffers_of(arena) + last->candidates);
    ranking.most = model->detector->candidates;
    ranking.count = 0;
    status = run(model, arena, NULL, &ranking);
    if (status == ETN_OK)
        *count = etn_suppress(model->detector, &ranking, found);
    return status;
}
