/* From a cell's predictors to candidates: docs/numerics.md section 9. */
#include "etn_ranking.h"

/* 2^15 * 2^(-i / 64) */
static const uint16_t coarse[64] = {
    32768, 32415, 32066, 31720, 31379, 31041, 30706, 30376, 30048, 29725, 29405, 29088, 28774, 28464, 28158, 27855,
    27554, 27258, 26964, 26674, 26386, 26102, 25821, 25543, 25268, 24995, 24726, 24460, 24196, 23936, 23678, 23423,
    23170, 22921, 22674, 22430, 22188, 21949, 21713, 21479, 21247, 21019, 20792, 20568, 20347, 20127, 19911, 19696,
    19484, 19274, 19066, 18861, 18658, 18457, 18258, 18061, 17867, 17674, 17484, 17296, 17109, 16925, 16743, 16562,
};

/* 2^15 * 2^(-j / 4096) */
static const uint16_t fine[64] = {
    32768, 32762, 32757, 32751, 32746, 32740, 32735, 32729, 32724, 32718, 32713, 32707, 32702, 32696, 32690, 32685,
    32679, 32674, 32668, 32663, 32657, 32652, 32646, 32641, 32635, 32630, 32624, 32619, 32613, 32608, 32602, 32597,
    32591, 32586, 32580, 32574, 32569, 32563, 32558, 32552, 32547, 32541, 32536, 32530, 32525, 32519, 32514, 32508,
    32503, 32497, 32492, 32486, 32481, 32475, 32470, 32464, 32459, 32453, 32448, 32442, 32437, 32431, 32426, 32421,
};

#define FRACTION 4095
#define MAX_SHIFT ((int64_t)1 << 29)
#define MAX_HALF ((uint32_t)1 << 30)

typedef struct {
    int32_t low, high;
} span;

/* 2^30 * 2^(-d / 4096). */
static uint32_t power(uint32_t d)
{
    return (uint32_t)coarse[d >> 6] * fine[d & 63];
}

/* Turn logits into terms of the softmax, in place; returns their sum. */
static uint32_t exponentiate(int32_t *logits, int32_t classes)
{
    int32_t top = logits[0];
    uint32_t sum = 0;
    for (int32_t c = 1; c < classes; c++)
        top = logits[c] > top ? logits[c] : top;
    for (int32_t c = 0; c < classes; c++) {
        const uint32_t d = (uint32_t)top - (uint32_t)logits[c];
        const uint32_t term = d >> 12 > 19 ? 0 : power(d & FRACTION) >> (12 + (d >> 12));
        logits[c] = (int32_t)term;
        sum += term;
    }
    return sum;
}

/* Half the size, 2^-15 pixel, of an anchor's `half`, 2^-16 pixel, stretched. */
static int32_t stretch(int32_t half, int32_t offset)
{
    const uint32_t d = (0 - (uint32_t)offset) & FRACTION;
    const int32_t octaves = (offset + (int32_t)d) >> 12;
    const uint32_t size = (uint32_t)((uint64_t)(uint32_t)half * power(d) >> 31);
    if (octaves < 0)
        return (int32_t)(size >> (octaves < -31 ? 31 : -octaves));
    const int32_t up = octaves > 30 ? 30 : octaves;
    return (int32_t)(size > MAX_HALF >> up ? MAX_HALF : size << up);
}

static int16_t corner(int32_t place)
{
    const int32_t rounded = (place + (1 << 10)) >> 11;
    return (int16_t)(rounded > INT16_MAX ? INT16_MAX : rounded < -INT16_MAX ? -INT16_MAX : rounded);
}

/* Where a box begins and ends along one axis, 2^-15 pixel. */
static span decode(int32_t cell, int32_t half_step, int32_t half, int32_t shift, int32_t size)
{
    int64_t move = ((int64_t)shift * half) >> 12;
    move = move > MAX_SHIFT ? MAX_SHIFT : move < -MAX_SHIFT ? -MAX_SHIFT : move;
    const int32_t centre = (2 * cell + 1) * half_step + (int32_t)move, reach = stretch(half, size);
    span along;
    along.low = centre - reach;
    along.high = centre + reach;
    return along;
}

void etn_decode_cell(const etn_detector *detector, const etn_level *level, int32_t row, int32_t column,
                     int32_t first_anchor, int32_t *logits, const int32_t *offsets, etn_ranking *ranking)
{
    const int32_t classes = detector->classes;
    for (int32_t a = 0; a < level->anchors; a++, logits += classes, offsets += 4) {
        const uint32_t sum = exponentiate(logits, classes) >> 3;
        /* The least term whose share, rounded down, exceeds the threshold. */
        const uint32_t least = (uint32_t)((((uint64_t)detector->score_threshold + 1) * sum + 8191) >> 13);
        etn_candidate candidate;
        int is_decoded = 0;
        for (int32_t c = 1; c < classes; c++) {
            if ((uint32_t)logits[c] < least)
                continue;
            const uint32_t share = ((uint32_t)logits[c] << 13) / sum;
            if (!is_decoded) {
                const int32_t *const half = level->half + 2 * a;
                const span x = decode(column, level->half_step, half[0], offsets[0], offsets[2]);
                const span y = decode(row, level->half_step, half[1], offsets[1], offsets[3]);
                candidate.found.left = corner(x.low);
                candidate.found.right = corner(x.high);
                candidate.found.top = corner(y.low);
                candidate.found.bottom = corner(y.high);
                candidate.anchor = (uint16_t)(first_anchor + a);
                is_decoded = 1;
            }
            candidate.found.category = (uint16_t)(c - 1);
            candidate.found.score = (uint16_t)(share > UINT16_MAX ? UINT16_MAX : share);
            etn_rank(ranking, &candidate);
        }
    }
}
