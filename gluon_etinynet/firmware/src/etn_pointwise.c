#include "etn_kernels.h"
#include "etn_requantise.h"

void etn_pointwise_row(const etn_layer *layer, const int8_t *row, const int8_t *shortcut, int32_t shortcut_pitch,
                       int8_t *out, int32_t out_pitch, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, outputs = layer->outputs, inputs = layer->inputs;
    /* Two channels by two columns at a time; an odd last one is computed twice. */
    for (int32_t c0 = 0; c0 < outputs; c0 += 2) {
        const int32_t c1 = c0 + 1 < outputs ? c0 + 1 : c0;
        const int8_t *const u = etn_weights(layer, c0, widened);
        const int8_t *const v = etn_weights(layer, c1, widened + layer->taps);
        const etn_channel first = etn_channel_of(layer, c0), second = etn_channel_of(layer, c1);
        int8_t *const out0 = out + c0 * out_pitch, *const out1 = out + c1 * out_pitch;
        for (int32_t x0 = 0; x0 < columns; x0 += 2) {
            const int32_t x1 = x0 + 1 < columns ? x0 + 1 : x0;
            const int8_t *p = row + x0, *q = row + x1;
            int32_t a00 = first.bias, a01 = first.bias, a10 = second.bias, a11 = second.bias;
            for (int32_t i = 0; i < inputs; i++, p += columns, q += columns) {
                a00 += u[i] * *p;
                a01 += u[i] * *q;
                a10 += v[i] * *p;
                a11 += v[i] * *q;
            }
            if (shortcut) {
                const int8_t *const s = shortcut + c0 * shortcut_pitch, *const t = shortcut + c1 * shortcut_pitch;
                out0[x0] = etn_requantise_sum(rescale, first, a00, s[x0]);
                out0[x1] = etn_requantise_sum(rescale, first, a01, s[x1]);
                out1[x0] = etn_requantise_sum(rescale, second, a10, t[x0]);
                out1[x1] = etn_requantise_sum(rescale, second, a11, t[x1]);
            } else {
                out0[x0] = etn_requantise(rescale, first, a00);
                out0[x1] = etn_requantise(rescale, first, a01);
                out1[x0] = etn_requantise(rescale, second, a10);
                out1[x1] = etn_requantise(rescale, second, a11);
            }
        }
    }
}
