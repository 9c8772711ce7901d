/* What every exported network shares: status codes, the ways of feeding it, a detector's results. */
#ifndef ETN_H
#define ETN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the runtime and of the tables that tools/export_c.py writes for it; they must agree. */
#define ETN_VERSION 4

#define ETN_ALIGNMENT 8    /* bytes; of an arena */
#define ETN_STATE_BYTES 32 /* at the start of an arena, before the buffers */

typedef enum {
    ETN_OK = 0,
    ETN_NULL_POINTER,     /* an argument is NULL */
    ETN_WRONG_VERSION,    /* the network's tables, or its weights, are of another version than the runtime; or
                           * the blob of weights was made for another network, address or choice of a self-test */
    ETN_WRONG_ARGUMENT,   /* the input is neither ETN_STORED nor ETN_PUSHED */
    ETN_MISALIGNED,       /* the arena's address is no multiple of ETN_ALIGNMENT */
    ETN_ARENA_TOO_SMALL,  /* fewer than *_arena_bytes() */
    ETN_NOT_INITIALISED,  /* the arena was not initialised, or by another network, or is overwritten */
    ETN_WRONG_INPUT,      /* a row pushed into an arena for a stored image, or between those of a camera's frame */
    ETN_NO_IMAGE,         /* run without a call of *_image() since the last run, which overwrote the image */
    ETN_TOO_FEW_ROWS,     /* run before the last row was pushed */
    ETN_TOO_MANY_ROWS,    /* a row pushed after the last; run first. A camera's frame is torn: begin the next */
    ETN_NO_FRAME,         /* a camera's row without a call of *_camera_begin() */
    ETN_TORN_ROW,         /* a camera's row of another length than *_CAMERA_ROW_BYTES; begin the next frame */
    ETN_NO_WEIGHTS,       /* the blob of weights is not where it should be, or damaged */
    ETN_SELF_TEST_FAILED, /* a layer computes other values than on the computer that exported it */
    ETN_BUSY              /* called during a run, which overwrites the arena: a camera's frame of then is dropped */
} etn_status;

/* What a detector finds. Scores are in units of 1/65536, corners in 1/16 pixel of the network's input, from
 * its left and upper edge; a box may reach beyond the picture. */
#define ETN_SCORE_BITS 16
#define ETN_PIXEL_BITS 4

typedef struct {
    uint16_t category; /* the class; 0 is the first after the background */
    uint16_t score;
    int16_t left, top, right, bottom;
} etn_detection;

typedef enum {
    ETN_STORED, /* the image lies in the arena, which *_image() points into */
    ETN_PUSHED  /* the image comes row by row through *_push_row() and is never stored */
} etn_input;

#ifdef __cplusplus
}
#endif

#endif
