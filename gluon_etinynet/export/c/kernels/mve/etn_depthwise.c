#include "etn_mve.h"

/* Three rows of a channel are interleaved, so that the values below the kernel lie side by side: [column][row], and a
 * fourth byte that does not count. Sixteen of them are below the kernel for one output, and for its neighbour too. */
#define COLUMNS 64

/* Of each byte below the kernel, which weight of 8 bits it meets; which byte of weights of 4 bits, and how far this is
 * shifted to the left, so that the weight is in the upper half. */
static const uint8_t places8[16] = {0, 3, 6, 0, 1, 4, 7, 0, 2, 5, 8}, places4[16] = {0, 1, 3, 0, 0, 2, 3, 0, 1, 2, 4};
static const int8_t shifts4[16] = {4, 0, 4, 0, 0, 4, 0, 0, 4, 0, 4};
#define BELOW_KERNEL 0x0777 /* the bytes that have a weight */

/* The weights of a channel as they meet a window. */
ETN_INLINE int8x16_t weights_of(const etn_layer *layer, int32_t c, int8_t *widened)
{
    if (layer->bits == 4) {
        const int8_t *const packed = (const int8_t *)layer->weights + 5 * c;
        const int8x16_t bytes = vldrbq_gather_offset_z_s8(packed, vldrbq_u8(places4), BELOW_KERNEL);
        return vshrq_n_s8(vshlq_s8(bytes, vldrbq_s8(shifts4)), 4);
    }
    return vldrbq_gather_offset_z_s8(etn_vector_weights(layer, c, widened), vldrbq_u8(places8), BELOW_KERNEL);
}

/* Lines are read beyond their end, by less than sixteen bytes. The four vectors must be neighbours, which compilers pay
 * for with copies. */
ETN_INLINE void interleave(const int8_t *const rows[3], int32_t columns, int8_t *windows)
{
    const int8_t *p = rows[0], *q = rows[1], *r = rows[2];
    for (; columns > 0; columns -= 16)
        __asm__ volatile("vldrb.8 q0, [%0], #16\n\tvldrb.8 q1, [%1], #16\n\tvldrb.8 q2, [%2], #16\n\t"
                         "vst40.8 {q0, q1, q2, q3}, [%3]\n\tvst41.8 {q0, q1, q2, q3}, [%3]\n\t"
                         "vst42.8 {q0, q1, q2, q3}, [%3]\n\tvst43.8 {q0, q1, q2, q3}, [%3]!"
                         : "+r"(p), "+r"(q), "+r"(r), "+r"(windows)
                         :
                         : "q0", "q1", "q2", "q3", "memory");
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
    const int8_t *const p = *windows;
    *windows += 16 * stride;
    const int8x16_t a = vldrbq_s8(p), b = vldrbq_s8(p + 8);
    if (stride == 1)
        return four(vmladavq_s8(a, weights), vmladavq_s8(a, next_weights), vmladavq_s8(b, weights),
                    vmladavq_s8(b, next_weights));
    const int8x16_t c = vldrbq_s8(p + 16), d = vldrbq_s8(p + 24);
    return four(vmladavq_s8(a, weights), vmladavq_s8(b, weights), vmladavq_s8(c, weights), vmladavq_s8(d, weights));
}

/* Four sums, or fewer, of strides other than 1 and 2. */
static int32x4_t slow_sums(const int8_t *const rows[3], int32_t stride, int32_t count, int8x16_t weights)
{
    int8_t w[16];
    int32_t sums[4] = {0};
    vstrbq_s8(w, weights);
    for (int32_t x = 0; x < count; x++)
        for (int32_t i = 0; i < 9; i++)
            sums[x] += w[i / 3 * 4 + i % 3] * rows[i % 3][x * stride + i / 3];
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
    const int8_t *window = windows, *middle = rows[1] + 1;
    uint32_t none = 0;
    const int8x16_t weights = weights_of(layer, c, widened), next_weights = vshlcq_s8(weights, &none, 32);
    const etn_channel of = etn_rounded_channel_of(layer, c);
    for (int32_t left = count; left > 0; left -= 4, to.out += to.step, middle += 4) {
        const int32x4_t sums =
            stride ? sums_of(&window, stride, weights, next_weights) : slow_sums(rows, layer->stride, count, weights);
        int32x4_t t = etn_affine_four(scale, of, sums);
        if (shortcut)
            t = vmlaq_n_s32(t, vldrbq_s32(middle), scale.shortcut_multiplier);
        t = etn_clamp_four(scale, t);
        if (!to_map)
            vstrbq_scatter_offset_s32(to.out, to.places, t);
        else if (left >= 4)
            vstrbq_s32(to.out, t);
        else
            vstrbq_p_s32(to.out, t, vctp32q((uint32_t)left));
    }
}

/* All channels, of as many columns together as there is room for windows. */
ETN_INLINE void convolve_all(const etn_layer *layer, const etn_line *const rows[3], target to, int8_t *widened,
                             int32_t stride, int to_map, int shortcut)
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
