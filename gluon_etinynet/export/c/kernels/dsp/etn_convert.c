#include "etn_kernels.h"

/* clang-format off */

#define FOUR(BYTES, HALVES_A, HALVES_B, SPARE, AT)                                                                     \
    "and " SPARE ", r3, " BYTES ", lsl #8\n and " BYTES ", r3\n"                                                        \
    "pkhbt " HALVES_A ", " SPARE ", " BYTES ", lsl #16\n pkhtb " HALVES_B ", " BYTES ", " SPARE ", asr #16\n"            \
    "str " HALVES_A ", [r1, #" AT "]\n str " HALVES_B ", [r1, #" AT " + 4]\n"

/* Bytes, four times `fours`, to the upper bytes of elements; eight a turn. */
__attribute__((naked)) static void widen(__attribute__((unused)) const int8_t *from,
                                         __attribute__((unused)) etn_line *to, __attribute__((unused)) int32_t fours)
{
    __asm__ volatile(
        "push {r4-r6, lr}\n mov r3, #0xff00ff00\n subs r2, #2\n blt 2f\n"
        "1: ldr r4, [r0], #4\n ldr r5, [r0], #4\n"
        FOUR("r4", "r6", "r4", "r12", "0") FOUR("r5", "r6", "r5", "r12", "8")
        "add r1, #16\n subs r2, #2\n bge 1b\n"
        "2: adds r2, #1\n bne 3f\n ldr r4, [r0]\n" FOUR("r4", "r6", "r4", "r12", "0") "3: pop {r4-r6, pc}\n");
}

/* clang-format on */

void etn_to_line(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    const int32_t columns = layer->in_columns, pitch = etn_pitch(columns, layer->stride), fours = columns / 4;
    for (int32_t c = 0; c < layer->inputs; c++, from += columns, to += pitch) {
        widen(from, to + 1, fours);
        for (int32_t x = 4 * fours; x < columns; x++)
            to[1 + x] = (etn_line)(from[x] * ETN_LINE_UNIT);
    }
}

void etn_to_operand(const etn_layer *layer, const int8_t *from, etn_line *to)
{
    const int32_t columns = layer->in_columns, group = 4 * etn_round_up(layer->inputs, 8);
    for (int32_t c = 0; c < layer->inputs; c++) {
        etn_line *out = to + etn_operand_index(layer, c, 0);
        int32_t x = 0;
        for (; x + 4 <= columns; x += 4, from += 4, out += group) {
            out[0] = from[0];
            out[2] = from[1];
            out[4] = from[2];
            out[6] = from[3];
        }
        for (; x < columns; x++, out += 2)
            *out = *from++;
    }
}
