/* A camera's pixels: one of the files etn_pixel.h, by format, says where they lie. */
#ifndef ETN_CAMERA_H
#define ETN_CAMERA_H

#include <stdint.h>

typedef struct {
    uint32_t red, green, blue; /* 0..255 */
} etn_pixel;

/* Pixel x of a camera's row. */
static inline etn_pixel etn_pixel_at(const uint8_t *row, int32_t x);

static inline etn_pixel etn_of_rgb565(uint32_t value)
{
    const uint32_t red = value >> 11, green = value >> 5 & 63, blue = value & 31;
    const etn_pixel pixel = {red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2};
    return pixel;
}

#include "etn_pixel.h"

#endif
