#include "etn_tile.h"

ETN_INLINE void put(const etn_layer *layer, int32_t channel, int32x4_t sums, int32_t *out, int32_t count)
{
    const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0, 4), layer->outputs);
    const int32x4_t t = etn_affine_four(etn_scale_of(layer), etn_channel_of(layer, channel), sums);
    vstrwq_scatter_offset_p_s32(out + channel, places, t, vctp32q((uint32_t)count));
}

void etn_predict_row(const etn_layer *layer, const etn_line *operand, int32_t *out, int8_t *widened)
{
    const int32_t outputs = layer->outputs, width = layer->columns, length = etn_round_up(layer->inputs, 16);
    for (int32_t u = 0; u < outputs; u += 2) {
        const int32_t v = u + 1 < outputs ? u + 1 : u;
        const int8_t *const first = etn_padded_weights(layer, u, widened);
        const int8_t *const second = etn_padded_weights(layer, v, widened + etn_widened_step(layer));
        const etn_line *columns = operand;
        for (int32_t x = 0; x < width; x += 4) {
            const etn_tile tile = etn_tile_of(first, second, &columns, length);
            put(layer, u, tile.u, out + x * outputs, width - x);
            put(layer, v, tile.v, out + x * outputs, width - x);
        }
    }
}
