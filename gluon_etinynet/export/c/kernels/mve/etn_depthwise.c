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

/* Four numbers as a vector; two an instruction, which compilers do not find. */
ETN_INLINE int32x4_t four(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t all;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n\tvmov %q0[3], %q0[1], %2, %4" : "=&w"(all) : "r"(a), "r"(b), "r"(c), "r"(d));
    return all;
}

/* `*windows` moves on to the next four. */
ETN_INLINE int32x4_t sums_of(const int8_t **windows, int32_t stride, int8x16_t weights, int8x16_t next_weights)
{
    const int8_t *p = *windows;
    const int8x16_t a = vldrbq_s8(p), b = vldrbq_s8(p + 8);
    *windows += 16 * stride;
    if (stride == 1)
        return four(vmladavq_s8(a, weights), vmladavq_s8(a, next_weights), vmladavq_s8(b, weights),
                    vmladavq_s8(b, next_weights));
    const int8x16_t c = vldrbq_s8(p + 16), d = vldrbq_s8(p + 24);
    return four(vmladavq_s8(a, weights), vmladavq_s8(b, weights), vmladavq_s8(c, weights), vmladavq_s8(d, weights));
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

/* Where outputs go: to a map, or to an operand, where four of them are `places` behind the first. */
typedef struct {
    int8_t *out;
    int32_t step; /* from four to the next */
    uint32x4_t places;
} target;

/* `count` columns of a channel. `stride` is the layer's, or 0 if it is neither 1 nor 2; `to_map` and `shortcut` say
 * whether that is so. */
ETN_INLINE void convolve(const etn_layer *layer, etn_scale scale, int32_t c, const etn_line *const rows[3],
                         int32_t count, target to, int8_t *widened, int32_t stride, int to_map, int shortcut)
{
    int8_t windows[4 * COLUMNS] __attribute__((aligned(8)));
    if (stride)
        interleave(rows, count * stride + 2, windows);
    const int8_t *const w = etn_vector_weights(layer, c, widened), *window = windows, *middle = rows[1] + 1;
    const int8x16_t weights = vldrbq_gather_offset_z_s8(w, vldrbq_u8(places), USED);
    const int8x16_t next_weights = vldrbq_gather_offset_z_s8(w, vldrbq_u8(next_places), NEXT_USED);
    const etn_channel of = etn_rounded_channel_of(layer, c);
    for (int32_t fours = to_map ? count / 4 : (count + 3) / 4; fours; fours--, to.out += to.step, middle += 4) {
        const int32x4_t sums = stride ? sums_of(&window, stride, weights, next_weights)
                                      : slow_sums(rows, layer->stride, count, w);
        int32x4_t t = etn_affine_four(scale, of, sums);
        if (shortcut)
            t = vmlaq_n_s32(t, vldrbq_s32(middle), scale.shortcut_multiplier);
        if (to_map)
            vstrbq_s32(to.out, etn_clamp_four(scale, t));
        else
            vstrbq_scatter_offset_s32(to.out, to.places, etn_clamp_four(scale, t));
    }
    if (to_map && count % 4) {
        const int32x4_t sums = stride ? sums_of(&window, stride, weights, next_weights)
                                      : slow_sums(rows, layer->stride, count, w);
        int32x4_t t = etn_affine_four(scale, of, sums);
        if (shortcut)
            t = vmlaq_n_s32(t, vldrbq_s32(middle), scale.shortcut_multiplier);
        vstrbq_p_s32(to.out, etn_clamp_four(scale, t), vctp32q((uint32_t)count % 4));
    }
}

/* All channels, of as many columns together as there is room for windows. */
ETN_INLINE void convolve_all(const etn_layer *layer, const etn_line *const rows[3], target to,
                             int8_t *widened, int32_t stride, int to_map, int shortcut)
{
    const etn_scale scale = etn_scale_of(layer);
    const int32_t pitch = etn_pitch(layer->in_columns, layer->stride), columns = layer->columns;
    const int32_t most = stride ? COLUMNS / stride - 4 : 4;
    int8_t *const out = to.out;
    for (int32_t begin = 0; begin < columns; begin += most) {
        const int32_t count = columns - begin < most ? columns - begin : most, first = begin * layer->stride;
        const etn_line *from[3] = {rows[0] + first, rows[1] + first, rows[2] + first};
        for (int32_t c = 0; c < layer->outputs; c++) {
            to.out = to_map ? out + c * columns + begin : out + etn_operand_index(layer + 1, c, begin);
            convolve(layer, scale, c, from, count, to, widened, stride, to_map, shortcut);
            for (int32_t i = 0; i < 3; i++)
                from[i] += pitch;
        }
    }
}

void etn_depthwise_operand(const etn_layer *layer, const etn_line *const rows[3], etn_line *operand, int32_t first,
                           int8_t *widened)
{
    const int32_t group = etn_operand_index(layer + 1, 0, 4);
    const uint32x4_t columns = vaddq_n_u32(vidupq_n_u32(0, 1), (uint32_t)first % 4);
    target to = {operand + first / 4 * group, group, vshlq_n_u32(vandq_u32(columns, vdupq_n_u32(3)), 4)};
    to.places = vmlaq_n_u32(to.places, vshrq_n_u32(columns, 2), (uint32_t)group);
    if (layer->stride == 1)
        convolve_all(layer, rows, to, widened, 1, 0, 0);
    else if (layer->stride == 2)
        convolve_all(layer, rows, to, widened, 2, 0, 0);
    else
        convolve_all(layer, rows, to, widened, 0, 0, 0);
}

void etn_depthwise_map(const etn_layer *layer, const etn_line *const rows[3], int8_t *out, int8_t *widened)
{
    const target to = {out, 4, vdupq_n_u32(0)};
    if (layer->shortcut)
        convolve_all(layer, rows, to, widened, 1, 1, 1);
    else if (layer->stride == 1)
        convolve_all(layer, rows, to, widened, 1, 1, 0);
    else if (layer->stride == 2)
        convolve_all(layer, rows, to, widened, 2, 1, 0);
    else
        convolve_all(layer, rows, to, widened, 0, 1, 0);
}
