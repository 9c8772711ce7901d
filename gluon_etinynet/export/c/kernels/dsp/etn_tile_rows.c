#include <string.h>

#include "etn_tile.h"

/* clang-format off */

/* Eight weights of 8 bits of each channel a turn. */
__attribute__((naked)) static void widen8(__attribute__((unused)) const uint8_t *u,
                                          __attribute__((unused)) const uint8_t *v,
                                          __attribute__((unused)) int32_t count, __attribute__((unused)) int32_t *to)
{
    __asm__ volatile(
        "push {r4-r11, lr}\n"
        "1: ldrd r10, r11, [r0], #8\n ldrd r12, lr, [r1], #8\n"
        "sxtb16 r4, r10\n sxtb16 r5, r12\n sxtb16 r6, r10, ror #8\n sxtb16 r7, r12, ror #8\n"
        "sxtb16 r8, r11\n sxtb16 r9, lr\n sxtb16 r10, r11, ror #8\n sxtb16 r11, lr, ror #8\n"
        "stm r3!, {r4-r11}\n subs r2, #8\n bne 1b\n pop {r4-r11, pc}\n");
}

/* Eight weights of 4 bits of each channel a turn, 16 times as large. */
__attribute__((naked)) static void widen4(__attribute__((unused)) const uint8_t *u,
                                          __attribute__((unused)) const uint8_t *v,
                                          __attribute__((unused)) int32_t count, __attribute__((unused)) int32_t *to)
{
    __asm__ volatile(
        "push {r4-r11, lr}\n mov lr, #0xf0f0f0f0\n"
        "1: ldr r10, [r0], #4\n ldr r12, [r1], #4\n"
        "and r8, lr, r10, lsl #4\n and r9, lr, r12, lsl #4\n and r10, lr\n and r12, lr\n"
        "sxtb16 r4, r8\n sxtb16 r5, r9\n sxtb16 r6, r8, ror #8\n sxtb16 r7, r9, ror #8\n"
        "sxtb16 r8, r10\n sxtb16 r9, r12\n sxtb16 r10, r10, ror #8\n sxtb16 r11, r12, ror #8\n"
        "stm r3!, {r4-r11}\n subs r2, #8\n bne 1b\n pop {r4-r11, pc}\n");
}

/* clang-format on */

/* Any width and any number: by way of bytes, which lie behind the widened weights. */
static void widen_any(const etn_layer *layer, int32_t channel, int8_t *bytes, int16_t *to)
{
    const int8_t *const w = etn_weights(layer, channel, bytes);
    for (int32_t i = 0; i < layer->taps; i++) {
        const int32_t place = etn_place(layer, i & 7);
        to[i / 8 * 16 + place / 2 * 4 + place % 2] = w[i];
    }
}

int32_t etn_widen_pair(const etn_layer *layer, int32_t u, int32_t v, int8_t *widened, etn_tiles *job)
{
    const int32_t taps = layer->taps, length = etn_round_up(taps, 8), bytes = (taps * layer->bits + 7) / 8;
    const uint8_t *const from_u = layer->weights + u * bytes, *const from_v = layer->weights + v * bytes;
    int32_t *const to = (int32_t *)(void *)widened, scale = 0;
    if (taps == length && layer->bits == 8) {
        widen8(from_u, from_v, taps, to);
    } else if (taps == length && layer->bits == 4 && layer->shift >= 4) {
        widen4(from_u, from_v, taps, to);
        scale = 4;
    } else {
        memset(to, 0, (size_t)length * 4);
        widen_any(layer, u, widened + length * 4, (int16_t *)to);
        widen_any(layer, v, widened + length * 4, (int16_t *)to + 2);
    }
    for (int32_t i = 0; i < 4; i++) {
        job->begin[i] = (layer->bias ? layer->bias[u] : 0) * (1 << scale);
        job->begin[4 + i] = (layer->bias ? layer->bias[v] : 0) * (1 << scale);
    }
    job->weights = (int16_t *)to;
    job->weights_end = (int16_t *)(to + length);
    return scale;
}

/* The sums that the assembly does not store itself. */
static void put(const etn_layer *layer, const etn_tiles *job, int32_t u, int32_t v, int32_t x, int32_t columns,
                int32_t scale, int32_t *wide)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    for (int32_t i = 0; i < 2; i++) {
        const int32_t channel = i ? v : u;
        const etn_channel of = etn_channel_of(layer, channel);
        const etn_line *const shortcut = i ? job->shortcut_v : job->shortcut_u;
        etn_line *const narrow = i ? job->out_v : job->out_u;
        for (int32_t j = 0; j < columns; j++) {
            const int32_t acc = job->sums[4 * i + j] >> scale;
            if (wide)
                wide[(x + j) * layer->outputs + channel] = etn_affine(rescale, of, acc);
            else
                narrow[j] = etn_requantise(rescale, of, acc, shortcut ? shortcut[j] : 0);
        }
    }
}

static void advance(etn_tiles *job, int32_t columns)
{
    job->out_u = (etn_line *)job->out_u + columns;
    job->out_v = (etn_line *)job->out_v + columns;
    if (job->shortcut_u) {
        job->shortcut_u += columns;
        job->shortcut_v += columns;
    }
}

/* A row: by the assembly as far as it goes. */
static void row_of(const etn_layer *layer, etn_tiles *job, int32_t u, int32_t v, int32_t scale, int32_t *wide)
{
    const int32_t columns = layer->columns, length = 4 * etn_round_up(layer->inputs, 8);
    const etn_line *const operand = job->operand;
    int32_t x = 0;
    if (!wide && layer->relu && layer->low == -128 && columns >= 4) {
        job->tiles = columns / 4;
        if (job->shortcut_u)
            etn_tiles_relu_shortcut(job);
        else
            etn_tiles_relu(job);
        x = columns / 4 * 4;
    }
    while (x < columns) {
        const int32_t left = columns - x, some = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        job->operand = operand + x / 4 * length + x % 4 * 2;
        job->tiles = 1;
        etn_tile_sums(job, some);
        put(layer, job, u, v, x, some, scale, wide);
        if (!wide)
            advance(job, some);
        x += some;
    }
}

void etn_tile_rows(const etn_layer *layer, const etn_line *operands, const etn_pointwise_io *io, int32_t count,
                   int32_t shortcut_pitch, int32_t pitch, int32_t *wide, int8_t *widened)
{
    const int32_t outputs = layer->outputs, upper = layer->shortcut_multiplier * 65536;
    int32_t sums[8];
    etn_tiles job;
    job.sums = sums;
    for (int32_t u = 0; u < outputs; u += 2) {
        const int32_t v = u + 1 < outputs ? u + 1 : u;
        const int32_t scale = etn_widen_pair(layer, u, v, widened, &job);
        job.multiplier_u = (uint16_t)layer->multiplier[u] | upper;
        job.multiplier_v = (uint16_t)layer->multiplier[v] | upper;
        job.offset_u = layer->offset[u];
        job.offset_v = layer->offset[v];
        job.shift = layer->shift - scale;
        for (int32_t i = 0; i < count; i++) {
            job.operand = operands + i * etn_operand_length(layer);
            job.out_u = wide ? NULL : io[i].out + u * pitch;
            job.out_v = wide ? NULL : io[i].out + v * pitch;
            job.shortcut_u = wide || !io[i].shortcut ? NULL : io[i].shortcut + u * shortcut_pitch;
            job.shortcut_v = wide || !io[i].shortcut ? NULL : io[i].shortcut + v * shortcut_pitch;
            row_of(layer, &job, u, v, scale, wide);
        }
    }
}
