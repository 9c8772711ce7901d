/* YUYV: Y, U, Y, V of a pair of pixels, BT.601. */
static inline uint32_t etn_clamp(int32_t value)
{
    return value < 0 ? 0 : value > 255 ? 255 : (uint32_t)value;
}

static inline etn_pixel etn_pixel_at(const uint8_t *row, int32_t x)
{
    const uint8_t *const pair = row + 4 * (x / 2);
    const int32_t y = 298 * (pair[2 * (x % 2)] - 16) + 128, u = pair[1] - 128, v = pair[3] - 128;
    const etn_pixel pixel = {etn_clamp((y + 409 * v) >> 8), etn_clamp((y - 100 * u - 208 * v) >> 8),
                             etn_clamp((y + 516 * u) >> 8)};
    return pixel;
}
