/* What an arena begins with, and what the functions of the runtime that take one share. */
#ifndef ETN_STATE_H
#define ETN_STATE_H

#include "etn_schedule.h"

typedef struct {
    uint32_t magic;
    uint32_t rows; /* of the image, as far as pushed; ETN_IMAGE_IN_ARENA if it is stored there */
    const etn_model *model;
    const etn_plan *plan;
    uint16_t frame_rows;      /* of a camera's frame, as far as they came */
    uint8_t in_frame;         /* 1: a camera's frame has begun */
    uint8_t torn;             /* why the frame does not serve: an etn_status */
    volatile uint8_t running; /* 1: the arena is being computed in; calls of an interrupt are refused */
} etn_state;

#define ETN_IMAGE_IN_ARENA 1u

/* ETN_OK if the arena was initialised by this network, which is not running. */
etn_status etn_check(const etn_model *model, const void *arena);

/* Push a row without any check. */
void etn_push(etn_state *state, const int8_t *row);

/* What a run fills: the logits of a classifier; the ranking of a detector, by the level that comes next. */
typedef struct {
    int32_t *logits;
    etn_ranking *ranking;
    const etn_level *level;
} etn_results;

/* A detector's empty ranking, in the arena. */
etn_ranking etn_ranking_of(etn_state *state);

/* Run a step that is not the stem's. */
void etn_run_step(etn_state *state, const etn_step *step, etn_results *to);

static inline int etn_is_pushed(const etn_state *s)
{
    return s->plan == &s->model->plan[ETN_PUSHED];
}

/* ETN_OK if this arena takes rows, and this is one. */
static inline etn_status etn_check_row(const etn_model *model, const void *arena, const void *row)
{
    const etn_status status = etn_check(model, arena);
    if (status != ETN_OK)
        return status;
    if (row == NULL)
        return ETN_NULL_POINTER;
    return etn_is_pushed((const etn_state *)arena) ? ETN_OK : ETN_WRONG_INPUT;
}

static inline int8_t *etn_buffers(etn_state *s)
{
    return (int8_t *)s + ETN_STATE_BYTES;
}

#endif
