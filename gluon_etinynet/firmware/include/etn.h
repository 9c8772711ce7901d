/* What every exported network shares: status codes and the ways of feeding it. */
#ifndef ETN_H
#define ETN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the runtime and of the tables that tools/export_c.py writes for it; they must agree. */
#define ETN_VERSION 1

#define ETN_ALIGNMENT 8    /* bytes; of an arena */
#define ETN_STATE_BYTES 32 /* at the start of an arena, before the buffers */

typedef enum {
    ETN_OK = 0,
    ETN_NULL_POINTER,    /* an argument is NULL */
    ETN_WRONG_VERSION,   /* the network's tables are of another version than the runtime */
    ETN_WRONG_ARGUMENT,  /* the input is neither ETN_STORED nor ETN_PUSHED */
    ETN_MISALIGNED,      /* the arena's address is no multiple of ETN_ALIGNMENT */
    ETN_ARENA_TOO_SMALL, /* fewer than *_arena_bytes() */
    ETN_NOT_INITIALISED, /* the arena was not initialised, or by another network, or is overwritten */
    ETN_WRONG_INPUT,     /* a row pushed into an arena for a stored image */
    ETN_NO_IMAGE,        /* run without a call of *_image() since the last run, which overwrote the image */
    ETN_TOO_FEW_ROWS,    /* run before the last row was pushed */
    ETN_TOO_MANY_ROWS    /* a row pushed after the last; run first */
} etn_status;

typedef enum {
    ETN_STORED, /* the image lies in the arena, which *_image() points into */
    ETN_PUSHED  /* the image comes row by row through *_push_row() and is never stored */
} etn_input;

#ifdef __cplusplus
}
#endif

#endif
