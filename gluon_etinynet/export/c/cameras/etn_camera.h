/* A camera's pixels: one of the files etn_pixel.h, by format, says where they lie. */
#ifndef ETN_CAMERA_H
#define ETN_CAMERA_H

#include <stdint.h>

typedef struct {
    uint32_t red, green, blue; /* 0..255 */
} etn_pixel;

/* Pixel x of a camera's row. */
static inline etn_pixel etn_pixel_at(const uint8_t *row, int32_t x);

/* In the middle of what the bits may have been that are not there. */
static inline etn_pixel etn_of_rgb565(uint32_t value)
{
    const etn_pixel pixel = {(value >> 11) * 8 + 4, (value >> 5 & 63) * 4 + 2, (value & 31) * 8 + 4};
    return pixel;
}

#include "etn_pixel.h"

#endif
