#include "etn_ranking.h"

/* Whether `a` goes before `b`: by score, then class, then anchor. */
static int is_better(const etn_candidate *a, const etn_candidate *b)
{
    if (a->found.score != b->found.score)
        return a->found.score > b->found.score;
    if (a->found.category != b->found.category)
        return a->found.category < b->found.category;
    return a->anchor < b->anchor;
}

/* Let `candidate` sink from the root of a heap of `count` to its place. */
static void sink(etn_candidate *heap, int32_t count, etn_candidate candidate)
{
    int32_t at = 0;
    for (int32_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_better(&heap[child], &heap[child + 1]))
            child++;
        if (!is_better(&candidate, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = candidate;
}

void etn_rank(etn_ranking *ranking, const etn_candidate *candidate)
{
    etn_candidate *const heap = ranking->candidates;
    if (ranking->count == ranking->most) {
        if (is_better(candidate, heap))
            sink(heap, ranking->count, *candidate);
        return;
    }
    int32_t at = ranking->count++;
    for (; at > 0 && is_better(&heap[(at - 1) / 2], candidate); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = *candidate;
}

static void sort(etn_ranking *ranking)
{
    etn_candidate *const heap = ranking->candidates;
    for (int32_t last = ranking->count - 1; last > 0; last--) {
        const etn_candidate displaced = heap[last];
        heap[last] = heap[0];
        sink(heap, last, displaced);
    }
}

static uint32_t area_of(const etn_detection *box)
{
    return (uint32_t)(box->right - box->left) * (uint32_t)(box->bottom - box->top);
}

static int overlap(const etn_detection *a, const etn_detection *b, uint32_t threshold)
{
    const int32_t left = a->left > b->left ? a->left : b->left;
    const int32_t top = a->top > b->top ? a->top : b->top;
    const int32_t right = a->right < b->right ? a->right : b->right;
    const int32_t bottom = a->bottom < b->bottom ? a->bottom : b->bottom;
    if (right <= left || bottom <= top)
        return 0;
    const uint64_t shared = (uint64_t)(uint32_t)(right - left) * (uint32_t)(bottom - top);
    const uint64_t all = (uint64_t)area_of(a) + area_of(b) - shared;
    return shared << 16 > threshold * all;
}

int32_t etn_suppress(const etn_detector *detector, etn_ranking *ranking, etn_detection *found)
{
    int32_t kept = 0;
    sort(ranking);
    for (int32_t i = 0; i < ranking->count && kept < detector->detections; i++) {
        const etn_detection *const one = &ranking->candidates[i].found;
        int32_t k = 0;
        while (k < kept && (found[k].category != one->category || !overlap(&found[k], one, detector->iou_threshold)))
            k++;
        if (k == kept)
            found[kept++] = *one;
    }
    return kept;
}
