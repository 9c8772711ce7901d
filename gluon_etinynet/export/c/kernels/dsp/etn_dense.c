#include "etn_kernels.h"
#include "etn_requantise.h"

/* clang-format off */

#define EIGHT                                                                                                          \
    "ldm r1!, {r8-r11}\n smlad r3, r4, r8, r3\n smlad r3, r5, r9, r3\n smlad r3, r6, r10, r3\n smlad r3, r7, r11, r3\n" \
    "subs r2, #8\n bne 1b\n"
#define SUM(NAME)                                                                                                      \
    __attribute__((naked)) static int32_t NAME(__attribute__((unused)) const uint8_t *weights,                         \
                                               __attribute__((unused)) const int16_t *values,                          \
                                               __attribute__((unused)) int32_t count)

/* Sums of eight products a turn; the values as their weights are widened. */
SUM(sum8)
{
    __asm__ volatile(
        "push {r4-r11}\n mov r3, #0\n"
        "1: ldr r5, [r0], #4\n ldr r7, [r0], #4\n"
        "sxtb16 r4, r5\n sxtb16 r5, r5, ror #8\n sxtb16 r6, r7\n sxtb16 r7, r7, ror #8\n" EIGHT
        "mov r0, r3\n pop {r4-r11}\n bx lr\n");
}

/* The weights are 4096 times as large. */
SUM(sum4)
{
    __asm__ volatile(
        "push {r4-r11}\n mov r3, #0\n mov r12, #0xf000f000\n"
        "1: ldr r7, [r0], #4\n and r4, r12, r7, lsl #12\n and r5, r12, r7, lsl #8\n and r6, r12, r7, lsl #4\n and r7, r12\n"
        EIGHT "asr r0, r3, #12\n pop {r4-r11}\n bx lr\n");
}

/* clang-format on */

void etn_dense(const etn_layer *layer, const int8_t *in, int32_t *out, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t inputs = layer->inputs, bits = layer->bits, bytes = inputs * bits / 8;
    const int32_t is_fast = inputs % 8 == 0 && (bits == 8 || (bits == 4 && layer->room >= 12));
    int16_t *const values = (int16_t *)(void *)widened;
    for (int32_t i = 0; is_fast && i < inputs; i++)
        values[i / 8 * 8 + etn_place(layer, i & 7)] = in[i];
    for (int32_t c = 0; c < layer->outputs; c++) {
        const etn_channel channel = etn_channel_of(layer, c);
        int32_t acc = channel.bias;
        if (is_fast) {
            acc += (bits == 8 ? sum8 : sum4)(layer->weights + c * bytes, values, inputs);
        } else {
            const int8_t *const w = etn_weights(layer, c, widened);
            for (int32_t i = 0; i < inputs; i++)
                acc += w[i] * in[i];
        }
        out[c] = etn_affine(rescale, channel, acc);
    }
}
