#include "etn_kernels.h"
#include "etn_requantise.h"

/* Accumulators of neighbouring columns. */
typedef struct {
    int32_t a, b, c, d;
} quad;

/* Add one kernel row to four outputs, which share most of its pixels. */
static inline quad add_row(quad acc, const int8_t *w, const int8_t *p)
{
    const int32_t w0 = w[0], w1 = w[1], w2 = w[2], p2 = p[2], p3 = p[3];
    acc.a += w0 * p[0] + w1 * p[1] + w2 * p2;
    acc.b += w0 * p[1] + w1 * p2 + w2 * p3;
    acc.c += w0 * p2 + w1 * p3 + w2 * p[4];
    acc.d += w0 * p3 + w1 * p[4] + w2 * p[5];
    return acc;
}

/* Channels of the output are `out_pitch` apart, columns `out_step`. */
static inline void convolve(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int32_t out_pitch,
                            int32_t out_step, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, stride = layer->stride, pitch = etn_pitch(layer->in_columns, stride);
    for (int32_t c = 0; c < layer->outputs; c++) {
        const int8_t *const w = etn_weights(layer, c, widened);
        const int8_t *p = rows[0] + c * pitch, *q = rows[1] + c * pitch, *r = rows[2] + c * pitch;
        const etn_channel channel = etn_channel_of(layer, c);
        int8_t *to = out + c * out_pitch;
        int32_t left = columns;
        for (; stride == 1 && left >= 4; left -= 4, p += 4, q += 4, r += 4) {
            quad acc = {channel.bias, channel.bias, channel.bias, channel.bias};
            acc = add_row(add_row(add_row(acc, w, p), w + 3, q), w + 6, r);
            *to = etn_requantise(rescale, channel, acc.a, q[1]);
            to += out_step;
            *to = etn_requantise(rescale, channel, acc.b, q[2]);
            to += out_step;
            *to = etn_requantise(rescale, channel, acc.c, q[3]);
            to += out_step;
            *to = etn_requantise(rescale, channel, acc.d, q[4]);
            to += out_step;
        }
        for (; left; left--, p += stride, q += stride, r += stride, to += out_step) {
            const int32_t acc = channel.bias + w[0] * p[0] + w[1] * p[1] + w[2] * p[2] + w[3] * q[0] + w[4] * q[1] +
                                w[5] * q[2] + w[6] * r[0] + w[7] * r[1] + w[8] * r[2];
            *to = etn_requantise(rescale, channel, acc, q[1]);
        }
    }
}

void etn_depthwise_operand(const etn_layer *layer, const etn_line *const rows[3], etn_line *operand, int32_t first,
                           int8_t *widened)
{
    convolve(layer, rows, operand + first * layer->outputs, 1, layer->outputs, widened);
}

void etn_depthwise_map(const etn_layer *layer, const etn_line *const rows[3], int8_t *out, int8_t *widened)
{
    convolve(layer, rows, out, layer->columns, 1, widened);
}
