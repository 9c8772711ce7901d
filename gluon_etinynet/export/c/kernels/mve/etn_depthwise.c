#include "etn_mve.h"

/* Three rows of a channel are interleaved, so that the values below the kernel lie side by side: [column][row], and a
 * fourth byte that does not count. Sixteen of them are below the kernel for one output, and for its neighbour too. */
#define COLUMNS 64

/* Where the weights of a window are among those of a channel, and which bytes of it have one. */
static const uint8_t places[16] = {0, 3, 6, 0, 1, 4, 7, 0, 2, 5, 8, 0, 0, 0, 0, 0};
static const uint8_t next_places[16] = {0, 0, 0, 0, 0, 3, 6, 0, 1, 4, 7, 0, 2, 5, 8, 0};
#define USED 0x0777
#define NEXT_USED 0x7770

/* Lines are read beyond their end, by less than sixteen bytes. */
ETN_INLINE void interleave(const int8_t *const rows[3], int32_t columns, int8_t *windows)
{
    const int8_t *p = rows[0], *q = rows[1], *r = rows[2];
    for (; columns > 0; columns -= 16, p += 16, q += 16, r += 16, windows += 64) {
        int8x16x4_t all;
        all.val[0] = vldrbq_s8(p);
        all.val[1] = vldrbq_s8(q);
        all.val[2] = vldrbq_s8(r);
        all.val[3] = all.val[2];
        vst4q_s8(windows, all);
    }
}

ETN_INLINE int32x4_t sums_of(const int8_t *windows, int32_t stride, int8x16_t weights, int8x16_t next_weights)
{
    const int8x16_t a = vldrbq_s8(windows), b = vldrbq_s8(windows + 8);
    if (stride == 1)
        return etn_four(vmladavq_s8(a, weights), vmladavq_s8(a, next_weights), vmladavq_s8(b, weights),
                        vmladavq_s8(b, next_weights));
    const int8x16_t c = vldrbq_s8(windows + 16), d = vldrbq_s8(windows + 24);
    return etn_four(vmladavq_s8(a, weights), vmladavq_s8(b, weights), vmladavq_s8(c, weights), vmladavq_s8(d, weights));
}

/* Four sums, or fewer, of strides other than 1 and 2. */
static int32x4_t slow_sums(const int8_t *const rows[3], int32_t stride, int32_t count, const int8_t *w)
{
    int32_t sums[4] = {0};
    for (int32_t x = 0; x < count; x++)
        for (int32_t i = 0; i < 9; i++)
            sums[x] += w[i] * rows[i / 3][x * stride + i % 3];
    return vldrwq_s32(sums);
}

/* Where the outputs of a channel go: to a map, or to an operand, where four of them are `places` behind the first. */
typedef struct {
    int8_t *out;
    int32_t step; /* from four to the next */
    uint32x4_t places;
} target;

/* `stride` is the layer's, or 0 if it is neither 1 nor 2. */
ETN_INLINE void convolve_channel(const etn_layer *layer, int32_t c, const int8_t *const rows[3], target to,
                                 int8_t *widened, int32_t stride, int to_map, int shortcut)
{
    int8_t windows[4 * COLUMNS] __attribute__((aligned(8)));
    const etn_scale of = etn_scale_of(layer, c);
    const int8_t *const w = etn_vector_weights(layer, c, widened);
    const int8x16_t weights = vldrbq_gather_offset_z_s8(w, vldrbq_u8(places), USED);
    const int8x16_t next_weights = vldrbq_gather_offset_z_s8(w, vldrbq_u8(next_places), NEXT_USED);
    const int32_t most = stride ? COLUMNS / stride - 4 : 4;
    for (int32_t begin = 0; begin < layer->columns; begin += most) {
        const int32_t count = layer->columns - begin < most ? layer->columns - begin : most;
        const int32_t first = begin * layer->stride;
        const int8_t *const from[3] = {rows[0] + first, rows[1] + first, rows[2] + first};
        if (stride)
            interleave(from, count * stride + 2, windows);
        for (int32_t x = 0; x < count; x += 4) {
            const int32x4_t sums = stride ? sums_of(windows + 4 * x * stride, stride, weights, next_weights)
                                          : slow_sums(from, layer->stride, count, w);
            int32x4_t t = etn_affine_four(&of, vaddq_n_s32(sums, of.bias));
            if (shortcut)
                t = vmlaq_n_s32(t, vldrbq_s32(from[1] + 1 + x), of.shortcut_multiplier);
            t = etn_clamp_four(&of, t);
            if (to_map)
                vstrbq_p_s32(to.out, t, vctp32q((uint32_t)(count - x)));
            else
                vstrbq_scatter_offset_s32(to.out, to.places, t);
            to.out += to.step;
        }
    }
}

void etn_depthwise_operand(const etn_layer *layer, const etn_line *const rows[3], etn_line *operand, int32_t first,
                           int8_t *widened)
{
    const etn_layer *const next = layer + 1;
    const int32_t pitch = etn_pitch(layer->in_columns, layer->stride), group = etn_operand_index(next, 0, 4);
    const uint32x4_t columns = vaddq_n_u32(vidupq_n_u32(0, 1), (uint32_t)first % 4);
    const uint32x4_t groups = vshrq_n_u32(columns, 2);
    const uint32x4_t places = vmlaq_n_u32(vshlq_n_u32(vandq_u32(columns, vdupq_n_u32(3)), 4), groups, (uint32_t)group);
    for (int32_t c = 0; c < layer->outputs; c++) {
        const etn_line *const of[3] = {rows[0] + c * pitch, rows[1] + c * pitch, rows[2] + c * pitch};
        const target to = {operand + etn_operand_index(next, c, first / 4 * 4), group, places};
        if (layer->stride == 1)
            convolve_channel(layer, c, of, to, widened, 1, 0, 0);
        else if (layer->stride == 2)
            convolve_channel(layer, c, of, to, widened, 2, 0, 0);
        else
            convolve_channel(layer, c, of, to, widened, 0, 0, 0);
    }
}

void etn_depthwise_map(const etn_layer *layer, const etn_line *const rows[3], int8_t *out, int8_t *widened)
{
    const int32_t pitch = etn_pitch(layer->in_columns, layer->stride);
    for (int32_t c = 0; c < layer->outputs; c++) {
        const etn_line *const of[3] = {rows[0] + c * pitch, rows[1] + c * pitch, rows[2] + c * pitch};
        const target to = {out + c * layer->columns, 4, vdupq_n_u32(0)};
        if (layer->shortcut)
            convolve_channel(layer, c, of, to, widened, 1, 1, 1);
        else if (layer->stride == 1)
            convolve_channel(layer, c, of, to, widened, 1, 1, 0);
        else if (layer->stride == 2)
            convolve_channel(layer, c, of, to, widened, 2, 1, 0);
        else
            convolve_channel(layer, c, of, to, widened, 0, 1, 0);
    }
}
