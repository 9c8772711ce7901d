/* A detector's candidates: the best of all, in bounded memory. docs/numerics.md section 9. */
#ifndef ETN_RANKING_H
#define ETN_RANKING_H

#include "etn_model.h"

typedef struct {
    etn_detection found;
    uint16_t anchor;
} etn_candidate;

/* A heap with the worst at its root. */
typedef struct {
    etn_candidate *candidates;
    int32_t count, most;
} etn_ranking;

/* Keep a candidate if it is among the best so far. */
void etn_rank(etn_ranking *ranking, const etn_candidate *candidate);

/* Sort the candidates, which ends the ranking, and write those that no better one of their class overlaps to
 * `found`; returns their number. */
int32_t etn_suppress(const etn_detector *detector, etn_ranking *ranking, etn_detection *found);

/* Rank every candidate of a cell, whose predictors' outputs are `logits` (overwritten) and `offsets`. */
void etn_decode_cell(const etn_detector *detector, const etn_level *level, int32_t row, int32_t column,
                     int32_t first_anchor, int32_t *logits, const int32_t *offsets, etn_ranking *ranking);

#endif
