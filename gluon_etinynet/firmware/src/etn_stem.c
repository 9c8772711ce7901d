#include "etn_kernels.h"
#include "etn_requantise.h"

/* From (input channel, kernel row, kernel column) to (kernel row, kernel column, input channel), as the pixels lie. */
static void interleave(const int8_t *weights, int32_t inputs, int8_t *to)
{
    for (int32_t tap = 0; tap < 9; tap++)
        for (int32_t input = 0; input < inputs; input++)
            *to++ = weights[input * 9 + tap];
}

void etn_stem_row(const etn_layer *layer, const int8_t *const rows[3], int8_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, outputs = layer->outputs, inputs = layer->inputs;
    const int32_t step = layer->stride * inputs, width = 3 * inputs;
    /* Two channels by two columns at a time; an odd last one is computed twice. */
    for (int32_t c0 = 0; c0 < outputs; c0 += 2) {
        const int32_t c1 = c0 + 1 < outputs ? c0 + 1 : c0;
        const etn_channel first = etn_channel_of(layer, c0), second = etn_channel_of(layer, c1);
        int8_t *const u = widened, *const v = widened + layer->taps, *const packed = v + layer->taps;
        interleave(etn_weights(layer, c0, packed), inputs, u);
        interleave(etn_weights(layer, c1, packed), inputs, v);
        for (int32_t x0 = 0; x0 < columns; x0 += 2) {
            const int32_t x1 = x0 + 1 < columns ? x0 + 1 : x0;
            const int8_t *w0 = u, *w1 = v;
            int32_t a00 = first.bias, a01 = first.bias, a10 = second.bias, a11 = second.bias;
            for (int32_t r = 0; r < 3; r++) {
                const int8_t *p = rows[r] + x0 * step, *q = rows[r] + x1 * step;
                for (int32_t i = 0; i < width; i++) {
                    const int32_t s = *w0++, t = *w1++;
                    a00 += s * p[i];
                    a01 += s * q[i];
                    a10 += t * p[i];
                    a11 += t * q[i];
                }
            }
            out[c0 * columns + x0] = etn_requantise(rescale, first, a00);
            out[c0 * columns + x1] = etn_requantise(rescale, first, a01);
            out[c1 * columns + x0] = etn_requantise(rescale, second, a10);
            out[c1 * columns + x1] = etn_requantise(rescale, second, a11);
        }
    }
}
