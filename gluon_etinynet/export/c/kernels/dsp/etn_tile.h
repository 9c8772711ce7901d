/* Sums of two output channels (u, v) over tiles of four columns: the inner loop of all convolutions but depthwise. */
#ifndef ETN_TILE_H
#define ETN_TILE_H

#include "etn_kernels.h"
#include "etn_requantise.h"

/* What the assembly reads: it knows the order of the fields. */
typedef struct {
    int32_t begin[8];       /* what the sums begin with: u in four columns, v in four columns */
    const int16_t *weights; /* [pair of taps][channel][tap of the pair] */
    int32_t multiplier_u, offset_u, multiplier_v, offset_v; /* the shortcut's multiplier in the upper half of m */
    int32_t shift;
    void *out_u, *out_v; /* lines, or rows of bytes */
    const etn_line *shortcut_u, *shortcut_v;
    const int16_t *weights_end;
    int32_t *sums; /* as `begin`; of etn_tile_sums */
    const etn_line *operand;
    int32_t tiles;
} etn_tiles;

/* Sums of one tile of which `columns` (1, 2 or 4) count. */
void etn_tile_sums(etn_tiles *job, int32_t columns);

/* All tiles: ReLU, requantisation, stores as 16 bits or bytes; the last adds shortcuts. */
void etn_tiles_relu(etn_tiles *job);
void etn_tiles_relu_bytes(etn_tiles *job);
void etn_tiles_relu_shortcut(etn_tiles *job);

/* Widen the weights of output channels u and v of a layer with `layer->taps` inputs in the operand's order, and set
 * what the sums begin with. Takes 4 bytes a tap, rounded up to 8 taps. The sums are 2^k times the accumulators; k is
 * returned. */
int32_t etn_widen_pair(const etn_layer *layer, int32_t u, int32_t v, int8_t *widened, etn_tiles *job);

/* As etn_pointwise_rows where `wide` is NULL; otherwise one row, as etn_predict_row. */
void etn_tile_rows(const etn_layer *layer, const etn_line *operands, const etn_pointwise_io *io, int32_t count,
                   int32_t shortcut_pitch, int32_t pitch, int32_t *wide, int8_t *widened);

#endif
