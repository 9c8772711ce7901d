#include "etn_dsp.h"
#include "etn_kernels.h"
#include "etn_requantise.h"

/* Four weights a turn, of 8 bits; the inputs as their bytes are widened. */
static int32_t sum8(const uint8_t *w, const int32_t *in, int32_t count)
{
    int32_t acc = 0;
    for (; count; count -= 4, w += 4, in += 2) {
        const uint32_t four = etn_word(w);
        acc = etn_smlad(etn_odd(four), in[1], etn_smlad(etn_even(four), in[0], acc));
    }
    return acc;
}

/* Eight weights a turn, of 4 bits, 16 times as large. */
static int32_t sum4(const uint8_t *w, const int32_t *in, int32_t count)
{
    const uint32_t upper = 0xf0f0f0f0u;
    int32_t acc = 0;
    for (; count; count -= 8, w += 4, in += 4) {
        const uint32_t eight = etn_word(w), even = eight << 4 & upper, odd = eight & upper;
        acc = etn_smlad(etn_odd(even), in[1], etn_smlad(etn_even(even), in[0], acc));
        acc = etn_smlad(etn_odd(odd), in[3], etn_smlad(etn_even(odd), in[2], acc));
    }
    return acc / 16;
}

void etn_dense(const etn_layer *layer, const int8_t *in, int32_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t inputs = layer->inputs, bits = layer->bits, bytes = inputs * bits / 8;
    const int32_t is_fast = inputs % 8 == 0 && (bits == 8 || bits == 4);
    int16_t *const values = (int16_t *)(void *)widened;
    for (int32_t i = 0; is_fast && i < inputs; i++)
        values[i / 8 * 8 + etn_place(layer, i & 7)] = in[i];
    for (int32_t c = 0; c < layer->outputs; c++) {
        const etn_channel channel = etn_channel_of(layer, c);
        int32_t acc = channel.bias;
        if (is_fast) {
            acc += (bits == 8 ? sum8 : sum4)(layer->weights + c * bytes, (int32_t *)(void *)widened, inputs);
        } else {
            const int8_t *const w = etn_weights(layer, c, widened);
            for (int32_t i = 0; i < inputs; i++)
                acc += w[i] * in[i];
        }
        out[c] = etn_affine(rescale, channel, acc);
    }
}
