/* Sums of two output channels (u, v) over tiles of four columns: the inner loop of all convolutions but depthwise. */
#ifndef ETN_TILE_H
#define ETN_TILE_H

#include "etn_dsp.h"
#include "etn_kernels.h"
#include "etn_requantise.h"

#define etn_run_tiles ETN_NAME(run_tiles)
#define etn_tile_rows ETN_NAME(tile_rows)

/* Where the four columns of a tile go to, and where their shortcuts are, in the lines of channel 0: their upper bytes.
 */
typedef struct {
    int8_t *out[4];
    const int8_t *shortcut[4];
} etn_places;

/* The value of an element of a line. */
static inline int8_t *etn_upper_byte(const etn_line *element)
{
    return (int8_t *)(uintptr_t)element + 1;
}

/* What becomes of a tile's sums: they are stored; or ReLU, requantisation, and to bytes of a row one behind the other,
 * to the upper bytes of a line, or each column to its place, there also with shortcuts. */
typedef enum {
    ETN_SUMS,
    ETN_TO_LINE,
    ETN_TO_BYTES = ETN_TO_LINE + 2,
    ETN_TO_PLACES = ETN_TO_BYTES + 2,
    ETN_TO_PLACES_WITH_SHORTCUT = ETN_TO_PLACES + 2,
    ETN_TO_WIDE = ETN_TO_PLACES_WITH_SHORTCUT + 2,
    ETN_KINDS = ETN_TO_WIDE + 2
} etn_kind;

/* What the assembly reads: it knows the order of the fields. */
typedef struct {
    int32_t begin[8];       /* what the sums begin with: u in four columns, v in four columns */
    const int16_t *weights; /* [pair of taps][channel][tap of the pair] */
    uintptr_t entry, then;  /* the assembly's own */
    int32_t multiplier_u, offset_u, multiplier_v, offset_v;
    void *out_u, *out_v; /* of a row; of 32 bits u's alone, v's is beside it */
    const int16_t *weights_end;
    const etn_line *operand_end;
    const etn_places *places;
    const etn_line *operand;
    int32_t factor; /* of shortcuts: their multiplier, or the shift of the sums */
    int32_t line_u,
        line_v;      /* bytes from the line of channel 0 to those of u and v; v's of 32 bits: to the next column */
    uint32_t kind;   /* an etn_kind; plus 1 if the sums are shifted before they are multiplied */
    int32_t sums[8]; /* of ETN_SUMS, as `begin` */
} etn_tiles;

/* All tiles of an operand, or one of ETN_SUMS. */
void etn_run_tiles(etn_tiles *job);

/* What a job holds of a pair's channels, whose sums are 2^scale times the accumulators, and what becomes of them. */
static inline void etn_set_channels(etn_tiles *job, const etn_layer *layer, int32_t u, int32_t v, int32_t scale,
                                    etn_kind kind)
{
    const int32_t bytes = layer->bias_bytes, unused = 32 - 8 * bytes, shift = layer->shift - scale;
    const int32_t m_u = layer->multiplier[u], m_v = layer->multiplier[v];
    int32_t bias_u = 0, bias_v = 0;
    if (layer->bias) {
        bias_u = ((int32_t)(etn_word(layer->bias + u * bytes) << unused) >> unused) * (1 << scale);
        bias_v = ((int32_t)(etn_word(layer->bias + v * bytes) << unused) >> unused) * (1 << scale);
    }
    job->begin[0] = job->begin[1] = job->begin[2] = job->begin[3] = bias_u;
    job->begin[4] = job->begin[5] = job->begin[6] = job->begin[7] = bias_v;
    job->offset_u = (int32_t)(etn_word(layer->offset + 3 * u) << 8) >> 8;
    job->offset_v = (int32_t)(etn_word(layer->offset + 3 * v) << 8) >> 8;
    job->kind = kind;
    job->factor = layer->shortcut_multiplier;
    if (shift > 0) {
        const int32_t lower = kind == ETN_TO_PLACES_WITH_SHORTCUT ? (uint16_t)layer->shortcut_multiplier : shift;
        job->multiplier_u = m_u * 65536 | lower;
        job->multiplier_v = m_v * 65536 | lower;
        job->factor = shift;
        job->kind++;
    } else {
        job->multiplier_u = m_u * (1 << (16 + shift));
        job->multiplier_v = m_v * (1 << (16 + shift));
    }
}

/* As etn_pointwise_rows where `wide` is NULL; otherwise one row, as etn_predict_row. */
void etn_tile_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t rows,
                   int32_t shortcut_pitch, int32_t pitch, int32_t *wide, int8_t *widened);

#endif
