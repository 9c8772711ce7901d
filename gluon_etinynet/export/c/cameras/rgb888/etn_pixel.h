/* Red, green, blue. */
static inline etn_pixel etn_pixel_at(const uint8_t *row, int32_t x)
{
    const etn_pixel pixel = {row[3 * x], row[3 * x + 1], row[3 * x + 2]};
    return pixel;
}
