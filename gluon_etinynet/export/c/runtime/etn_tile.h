/* The innermost loop of the stem and of pointwise convolutions. */
#ifndef ETN_TILE_H
#define ETN_TILE_H

#include <stdint.h>

/* Accumulators of two output channels (u, v) by two columns (p, q). */
typedef struct {
    int32_t up, uq, vp, vq;
} etn_tile;

static inline void etn_tile_tap(etn_tile *tile, int32_t u, int32_t v, int32_t p, int32_t q)
{
    tile->up += u * p;
    tile->uq += u * q;
    tile->vp += v * p;
    tile->vq += v * q;
}

/* Add the products of `count` taps. Unrolled by hand, which compilers leave undone at -O2. */
static inline etn_tile etn_tile_add(etn_tile tile, const int8_t *u, const int8_t *v, const int8_t *p,
                                    const int8_t *q, int32_t count)
{
    for (; count >= 4; count -= 4, u += 4, v += 4, p += 4, q += 4) {
        etn_tile_tap(&tile, u[0], v[0], p[0], q[0]);
        etn_tile_tap(&tile, u[1], v[1], p[1], q[1]);
        etn_tile_tap(&tile, u[2], v[2], p[2], q[2]);
        etn_tile_tap(&tile, u[3], v[3], p[3], q[3]);
    }
    for (; count; count--)
        etn_tile_tap(&tile, *u++, *v++, *p++, *q++);
    return tile;
}

#endif
