/* Sums of two output channels (u, v) over tiles of four columns: the inner loop of all convolutions but depthwise. */
#ifndef ETN_TILE_H
#define ETN_TILE_H

#include "etn_dsp.h"
#include "etn_kernels.h"
#include "etn_requantise.h"

/* Where the four columns of a tile go to, and where their shortcuts are, in the lines of channel 0: their upper bytes. */
typedef struct {
    int8_t *out[4];
    const int8_t *shortcut[4];
} etn_places;

/* The value of an element of a line. */
static inline int8_t *etn_upper_byte(const etn_line *element)
{
    return (int8_t *)(uintptr_t)element + 1;
}

/* What the assembly reads: it knows the order of the fields. */
typedef struct {
    int32_t begin[8];       /* what the sums begin with: u in four columns, v in four columns */
    const int16_t *weights; /* [pair of taps][channel][tap of the pair] */
    uintptr_t entry;        /* the assembly's own */
    int32_t multiplier_u, offset_u, multiplier_v, offset_v;
    void *out_u, *out_v; /* of etn_tiles_relu */
    const int16_t *weights_end;
    const etn_line *operand_end;
    const etn_places *places;
    const etn_line *operand;
    int32_t *sums; /* as `begin`; of etn_tile_sums */
    int32_t shift;
    int32_t line_u, pitch; /* bytes from the line of channel 0 to that of u, and from there to that of v */
} etn_tiles;

/* What a pair's job holds of its channels; the sums are 2^scale times the accumulators. m lies above `lower`. */
static inline void etn_set_channels(etn_tiles *job, const etn_layer *layer, int32_t u, int32_t v, int32_t scale,
                                    int32_t lower)
{
    const int32_t bytes = layer->bias_bytes, unused = 32 - 8 * bytes;
    int32_t bias_u = 0, bias_v = 0;
    if (layer->bias) {
        bias_u = (int32_t)(etn_word(layer->bias + u * bytes) << unused) >> unused << scale;
        bias_v = (int32_t)(etn_word(layer->bias + v * bytes) << unused) >> unused << scale;
    }
    job->begin[0] = job->begin[1] = job->begin[2] = job->begin[3] = bias_u;
    job->begin[4] = job->begin[5] = job->begin[6] = job->begin[7] = bias_v;
    job->multiplier_u = layer->multiplier[u] * 65536 | lower;
    job->multiplier_v = layer->multiplier[v] * 65536 | lower;
    job->offset_u = (int32_t)(etn_word(layer->offset + 3 * u) << 8) >> 8;
    job->offset_v = (int32_t)(etn_word(layer->offset + 3 * v) << 8) >> 8;
}

/* Sums of one tile. */
void etn_tile_sums(etn_tiles *job);

/* All tiles: ReLU, requantisation, and to the upper bytes of a line, or to bytes, one behind the other. m lies above the shift. */
void etn_tiles_relu(etn_tiles *job);
void etn_tiles_relu_bytes(etn_tiles *job);

/* The same, each column to its place; the second adds shortcuts, whose multiplier lies below m. */
void etn_tiles_relu_places(etn_tiles *job);
void etn_tiles_relu_shortcut(etn_tiles *job);

/* As etn_pointwise_rows where `wide` is NULL; otherwise one row, as etn_predict_row. */
void etn_tile_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t rows,
                   int32_t shortcut_pitch, int32_t pitch, int32_t *wide, int8_t *widened);

#endif
