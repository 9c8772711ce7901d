/* RGB565, the upper byte first. */
static inline etn_pixel etn_pixel_at(const uint8_t *row, int32_t x)
{
    return etn_of_rgb565((uint32_t)row[2 * x] << 8 | (uint32_t)row[2 * x + 1]);
}
