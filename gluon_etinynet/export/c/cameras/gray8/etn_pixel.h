/* Grey. */
static inline etn_pixel etn_pixel_at(const uint8_t *row, int32_t x)
{
    const etn_pixel pixel = {row[x], row[x], row[x]};
    return pixel;
}
