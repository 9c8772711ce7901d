/* A network as constant tables, and the functions that run it. Written by tools/export_c.py,
 * read by the runtime.
 *
 * A map lies in memory by rows, each row by channels: [row][channel][column]. A line buffer of several rows
 * is a ring: row r is in slot r modulo their number. Lines and operands are as etn_line.h says.
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

/* Weights and parameters go where a firmware says, as by -DETN_WEIGHTS_SECTION='".ext_flash"'. */
#ifdef ETN_WEIGHTS_SECTION
#define ETN_TABLE ETN_ALIGNED __attribute__((section(ETN_WEIGHTS_SECTION)))
#else
#define ETN_TABLE ETN_ALIGNED
#endif

/* One operator. The symbols are those of docs/numerics.md section 2. */
typedef struct {
    const uint8_t *weights;    /* packed, each output channel from a byte on; NULL without weights */
    const uint8_t *bias;       /* per output channel, bias_bytes each from the lowest on; NULL if there is none */
    const int16_t *multiplier; /* m, per output channel */
    const uint8_t *offset;     /* o, per output channel, 3 bytes each from the lowest on */
    uint16_t inputs, in_rows, in_columns;
    uint16_t outputs, rows, columns;
    uint16_t taps; /* weights of one output channel */
    int16_t shortcut_multiplier;
    uint8_t bits;       /* of a weight */
    uint8_t bias_bytes; /* 3, or 4 if the biases need them */
    uint8_t kernel, stride;
    uint8_t shift;        /* L */
    uint8_t room;         /* the accumulator times 2^room fits 32 bits */
    uint8_t relu;         /* 1: before the requantisation */
    uint8_t shortcut;     /* 1: has one */
    int8_t low;           /* least output */
    int8_t in_zero_point; /* what padding is filled with */
} etn_layer;

enum {
    ETN_STEM,  /* 2 layers: convolution, pooling; the first step */
    ETN_BLOCK, /* 3: depthwise, pointwise, depthwise */
    ETN_HEAD,  /* 2: average, fully connected */
    ETN_LEVEL  /* 2: a detector's class and box predictor */
};

#define ETN_MOST_ROWS 8

/* Operators that run together, and where their buffers begin: bytes after the arena's state. What a kind of
 * step has no use for is 0. */
typedef struct {
    uint16_t kind;
    uint16_t layer;      /* the first */
    uint32_t source;     /* the map read; unused by the stem of a pushed image */
    uint32_t target;     /* the map written */
    uint32_t rows;       /* of a block that are computed together, at most ETN_MOST_ROWS */
    uint32_t in;         /* ring of a block's source, padded: the rows that these read */
    uint32_t depthwise;  /* these rows of a block's first convolution */
    uint32_t middle;     /* ring of 3 rows: a pointwise, padded; a stem's convolution. Of a block 2 more than `rows` */
    uint32_t row;        /* one row of the source, [column][channel] */
    uint32_t scores;     /* one row of a class predictor, [column][channel], int32 */
    uint32_t offsets;    /* the same of a box predictor */
    uint32_t candidates; /* of a detector */
} etn_step;

typedef struct {
    uint32_t arena_bytes;
    uint32_t widened; /* where weights of fewer than 8 bits are widened */
    uint32_t row;     /* where image rows are made: the sums of one, uint32, and it itself; 0 if none is */
    const etn_step *steps;
} etn_plan;

/* The anchors of one map. The symbols are those of docs/numerics.md section 9. */
typedef struct {
    const int32_t *half; /* width and height of each anchor of a cell */
    int32_t half_step;
    uint16_t anchors; /* of a cell */
    uint16_t first;   /* number of the first cell's first anchor */
} etn_level;

typedef struct {
    const etn_level *level;
    uint16_t classes; /* the background included */
    uint16_t score_threshold, iou_threshold;
    uint16_t candidates, detections; /* the most of each */
} etn_detector;

/* A camera, and the centre of its frames that becomes the image. The symbols are those of docs/numerics.md
 * section 10. */
typedef struct {
    uint32_t row_bytes;
    uint32_t inverse;
    uint16_t height;
    uint16_t left, top, columns, rows; /* of the centre; its n of either axis */
} etn_camera;

typedef struct {
    uint32_t version;
    uint16_t steps;
    const etn_layer *layer;
    etn_plan plan[2];             /* by etn_input */
    const etn_detector *detector; /* NULL: a classifier */
    const etn_camera *camera;     /* NULL: none */
} etn_model;

/* `value` rounded up to a multiple. */
static inline int32_t etn_round_up(int32_t value, int32_t to)
{
    return (value + to - 1) / to * to;
}

size_t etn_arena_bytes(const etn_model *model, etn_input input);
etn_status etn_init(const etn_model *model, void *arena, size_t bytes, etn_input input);
int8_t *etn_image(const etn_model *model, void *arena);
etn_status etn_push_row(const etn_model *model, void *arena, const int8_t *row);
etn_status etn_self_test(const etn_model *model, const uint32_t *digests, void *arena, size_t bytes, int32_t *logits,
                         etn_detection *found, int32_t *layer);
etn_status etn_camera_begin(const etn_model *model, void *arena);
etn_status etn_camera_row(const etn_model *model, void *arena, const uint8_t *row, size_t bytes);
etn_status etn_run(const etn_model *model, void *arena, int32_t *logits);
etn_status etn_detect(const etn_model *model, void *arena, etn_detection *found, int32_t *count);

#endif
