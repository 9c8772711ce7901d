/* The network on a picture of its own, squares of 8 x 8 pixels in colours drawn at random, and the digest of every map
 * that the exporter's interpreter found. */
#include "etn_crc.h"
#include "etn_state.h"

static int8_t of_picture(uint32_t y, uint32_t x, uint32_t channel)
{
    const uint32_t square = ((y / 8 * 257 + x / 8) * 5 + channel + 1) * 2654435761u;
    return (int8_t)((int32_t)((square ^ square >> 15) * 2246822519u >> 24) - 128);
}

static void push_picture(etn_state *s)
{
    const etn_layer *const stem = s->model->layer;
    int8_t *const row = etn_buffers(s) + s->plan->row;
    for (uint32_t y = 0; y < stem->in_rows; y++) {
        for (uint32_t i = 0; i < (uint32_t)stem->in_columns * stem->inputs; i++)
            row[i] = of_picture(y, i / stem->inputs, i % stem->inputs);
        etn_push(s, row);
    }
}

/* Of int32, from their lowest bytes on. */
static uint32_t digest_of_wide(const int32_t *values, uint32_t count)
{
    uint32_t crc = 0;
    for (; count; count--, values++) {
        const uint32_t value = (uint32_t)*values;
        const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                                  (uint8_t)(value >> 24)};
        crc = etn_crc(crc, bytes, 4);
    }
    return crc;
}

static uint32_t digest_of_detections(const etn_detection *found, int32_t count)
{
    uint32_t crc = 0;
    for (; count; count--, found++) {
        const uint16_t fields[6] = {found->category,      found->score,           (uint16_t)found->left,
                                    (uint16_t)found->top, (uint16_t)found->right, (uint16_t)found->bottom};
        for (int i = 0; i < 6; i++) {
            const uint8_t bytes[2] = {(uint8_t)fields[i], (uint8_t)(fields[i] >> 8)};
            crc = etn_crc(crc, bytes, 2);
        }
    }
    return crc;
}

static const etn_layer *last_layer(const etn_model *model, const etn_step *step)
{
    return model->layer + step->layer + (step->kind == ETN_BLOCK ? 2 : 1);
}

/* Of what a step has computed; a level only ranks. */
static uint32_t digest(etn_state *s, const etn_step *step, const etn_results *of)
{
    const etn_layer *const last = last_layer(s->model, step);
    if (step->kind == ETN_HEAD)
        return digest_of_wide(of->logits, last->outputs);
    if (step->kind == ETN_LEVEL)
        return 0;
    return etn_crc(0, (const uint8_t *)etn_buffers(s) + step->target,
                   (uint32_t)last->outputs * last->rows * last->columns);
}

etn_status etn_self_test(const etn_model *model, const uint32_t *digests, void *arena, size_t bytes, int32_t *logits,
                         etn_detection *found, int32_t *layer)
{
    etn_state *const s = (etn_state *)arena;
    if (layer == NULL || (model->detector ? found == NULL : logits == NULL))
        return ETN_NULL_POINTER;
    const etn_status status = etn_init(model, arena, bytes, ETN_PUSHED);
    if (status != ETN_OK)
        return status;
    const etn_detector *const detector = model->detector;
    etn_ranking ranking = {NULL, 0, 0};
    if (detector)
        ranking = etn_ranking_of(s);
    etn_results results = {logits, &ranking, detector ? detector->level : NULL};
    push_picture(s);
    s->rows = 0;
    for (int32_t i = 0; i < model->steps; i++) {
        const etn_step *const step = s->plan->steps + i;
        if (i > 0)
            etn_run_step(s, step, &results);
        *layer = (int32_t)(last_layer(model, step) - model->layer);
        if (digest(s, step, &results) != digests[i])
            return ETN_SELF_TEST_FAILED;
    }
    if (detector == NULL)
        return ETN_OK;
    const int32_t count = etn_suppress(detector, &ranking, found);
    return digest_of_detections(found, count) == digests[model->steps] ? ETN_OK : ETN_SELF_TEST_FAILED;
}
