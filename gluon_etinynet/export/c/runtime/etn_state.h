/* What an arena begins with, and what the functions of the runtime that take one share. */
#ifndef ETN_STATE_H
#define ETN_STATE_H

#include "etn_model.h"

typedef struct {
    uint32_t magic;
    uint32_t rows; /* of the image, as far as pushed; ETN_IMAGE_IN_ARENA if it is stored there */
    const etn_model *model;
    const etn_plan *plan;
    uint16_t frame_rows; /* of a camera's frame, as far as they came */
    uint8_t in_frame;    /* 1: a camera's frame has begun */
    uint8_t torn;        /* why the frame does not serve: an etn_status */
} etn_state;

#define ETN_IMAGE_IN_ARENA 1u

/* ETN_OK if the arena was initialised by this network. */
etn_status etn_check(const etn_model *model, const void *arena);

/* Push a row without any check. */
void etn_push(etn_state *state, const int8_t *row);

static inline int etn_is_pushed(const etn_state *s)
{
    return s->plan == &s->model->plan[ETN_PUSHED];
}

static inline int8_t *etn_buffers(etn_state *s)
{
    return (int8_t *)s + ETN_STATE_BYTES;
}

#endif
