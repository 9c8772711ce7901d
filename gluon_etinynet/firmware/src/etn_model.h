/* A network as constant tables, and the functions that run it. Written by tools/export_c.py,
 * read by the runtime.
 *
 * A map lies in memory by rows, each row by channels: [row][channel][column]. A line buffer of several rows
 * is a ring: row r is in slot r modulo their number. Rows that feed a 3x3 kernel have one more column on
 * either side. Between a block's first convolution and its pointwise one the row is [column][channel].
 */
#ifndef ETN_MODEL_H
#define ETN_MODEL_H

#include "../include/etn.h"
#include "etn_names.h"

#ifdef __GNUC__
#define ETN_ALIGNED __attribute__((aligned(ETN_ALIGNMENT)))
#else
#define ETN_ALIGNED
#endif

/* One operator. The symbols are those of docs/numerics.md section 2. */
typedef struct {
    const uint8_t *weights;    /* packed, each output channel from a byte on; NULL without weights */
    const int32_t *bias;       /* per output channel; NULL if there is none */
    const int16_t *multiplier; /* m, per output channel */
    const int32_t *offset;     /* o, per output channel */
    uint16_t inputs, in_rows, in_columns;
    uint16_t outputs, rows, columns;
    uint16_t taps; /* weights of one output channel */
    int16_t shortcut_multiplier;
    uint8_t bits; /* of a weight */
    uint8_t kernel, stride;
    uint8_t shift;        /* L */
    uint8_t relu;         /* 1: before the requantisation */
    uint8_t shortcut;     /* 1: has one */
    int8_t low;           /* least output */
    int8_t in_zero_point; /* what padding is filled with */
} etn_layer;

/* Operators that run together, and where their buffers begin: bytes after the arena's state. */
typedef struct {
    uint16_t layer;     /* the first; a stem has 2 layers, a block 3 */
    uint32_t source;    /* the map read; unused by the stem of a pushed image */
    uint32_t target;    /* the map written */
    uint32_t in;        /* ring of 3 rows of the source, padded */
    uint32_t depthwise; /* one row of a block's first convolution */
    uint32_t middle;    /* ring of 3 rows: a block's pointwise, padded; a stem's convolution */
} etn_step;

typedef struct {
    uint32_t arena_bytes;
    uint32_t widened;      /* where weights of fewer than 8 bits are widened */
    const etn_step *steps; /* the stem, the blocks, the average, the fully connected layer */
} etn_plan;

typedef struct {
    uint32_t version;
    uint16_t layers, blocks;
    const etn_layer *layer;
    etn_plan plan[2]; /* by etn_input */
} etn_model;

size_t etn_arena_bytes(const etn_model *model, etn_input input);
etn_status etn_init(const etn_model *model, void *arena, size_t bytes, etn_input input);
int8_t *etn_image(const etn_model *model, void *arena);
etn_status etn_push_row(const etn_model *model, void *arena, const int8_t *row);
etn_status etn_run(const etn_model *model, void *arena, int32_t *logits);

#endif
