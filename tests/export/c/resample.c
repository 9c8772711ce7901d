/* The camera's rows become image rows on standard output: for each case on standard input, ten numbers of 32 bits
 * (bytes of a row, inverse, height, left, top, columns and rows of the centre, columns and rows of the image, 0) and
 * the frame. The runtime's camera alone, in arenas of exactly the bytes that it may touch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etn_state.h"

etn_status etn_check(const etn_model *model, const void *arena)
{
    return model && arena ? ETN_OK : ETN_NULL_POINTER;
}

void etn_push(etn_state *state, const int8_t *row)
{
    state->rows++;
    fwrite(row, 1, 3u * state->model->layer->in_columns, stdout);
}

int main(void)
{
    uint32_t of[10];
    while (fread(of, sizeof of, 1, stdin) == 1) {
        const etn_camera camera = {of[0],           of[1],           (uint16_t)of[2], (uint16_t)of[3],
                                   (uint16_t)of[4], (uint16_t)of[5], (uint16_t)of[6]};
        const etn_layer layer = {.in_columns = (uint16_t)of[7], .in_rows = (uint16_t)of[8]};
        const etn_model model = {.layer = &layer, .camera = &camera};
        uint8_t *const row = malloc(of[0]);
        etn_state *const state = malloc(ETN_STATE_BYTES + 15 * of[7]);
        memset(state, 0xa5, ETN_STATE_BYTES + 15 * of[7]);
        state->model = &model;
        state->plan = &model.plan[ETN_PUSHED];
        state->in_frame = 0;
        if (etn_camera_begin(&model, state) != ETN_OK)
            return 1;
        for (uint32_t y = 0; y < of[2]; y++)
            if (fread(row, 1, of[0], stdin) != of[0] || etn_camera_row(&model, state, row, of[0]) != ETN_OK)
                return 2;
        if (state->rows != of[8])
            return 3;
        free(state);
        free(row);
    }
    return 0;
}
