#include <string.h>

#include "etn_tile.h"

/* clang-format off */

#define WIDEN(NAME)                                                                                                    \
    __attribute__((naked)) static void NAME(__attribute__((unused)) const uint8_t *u,                                  \
                                            __attribute__((unused)) const uint8_t *v,                                  \
                                            __attribute__((unused)) int32_t count, __attribute__((unused)) int32_t *to)

/* Eight weights of 8 bits of each channel a turn, 256 times as large. */
WIDEN(widen8)
{
    __asm__ volatile(
        "push {r4-r11, lr}\n mov lr, #0xff00ff00\n"
        "1: ldrd r10, r8, [r0], #8\n ldrd r11, r9, [r1], #8\n"
        "and r4, lr, r10, lsl #8\n and r5, lr, r11, lsl #8\n and r6, lr, r10\n and r7, lr, r11\n"
        "and r10, lr, r8\n and r11, lr, r9\n and r8, lr, r8, lsl #8\n and r9, lr, r9, lsl #8\n"
        "stm r3!, {r4-r11}\n subs r2, #8\n bne 1b\n pop {r4-r11, pc}\n");
}

/* Eight weights of 4 bits of each channel a turn, 4096 times as large. */
WIDEN(widen4)
{
    __asm__ volatile(
        "push {r4-r11, lr}\n mov lr, #0xf000f000\n"
        "1: ldr r10, [r0], #4\n ldr r11, [r1], #4\n"
        "and r4, lr, r10, lsl #12\n and r5, lr, r11, lsl #12\n and r6, lr, r10, lsl #8\n and r7, lr, r11, lsl #8\n"
        "and r8, lr, r10, lsl #4\n and r9, lr, r11, lsl #4\n and r10, lr\n and r11, lr\n"
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

/* Widen the weights of u and v; the sums are 2^k times the accumulators. Returns k. */
static int32_t widen_pair(const etn_layer *layer, int32_t u, int32_t v, int8_t *widened, etn_tiles *job)
{
    const int32_t taps = layer->taps, length = etn_round_up(taps, 8), bytes = (taps * layer->bits + 7) / 8;
    const uint8_t *const from_u = layer->weights + u * bytes, *const from_v = layer->weights + v * bytes;
    int32_t *const to = (int32_t *)(void *)widened;
    job->weights = (int16_t *)to;
    job->weights_end = (int16_t *)(to + length);
    if (taps == length && layer->bits == 8 && layer->room >= 8) {
        widen8(from_u, from_v, taps, to);
        return 8;
    }
    if (taps == length && layer->bits == 4 && layer->room >= 12) {
        widen4(from_u, from_v, taps, to);
        return 12;
    }
    memset(to, 0, (size_t)length * 4);
    widen_any(layer, u, widened + length * 4, (int16_t *)to);
    widen_any(layer, v, widened + length * 4, (int16_t *)to + 2);
    return 0;
}

/* Where the columns of `tiles` tiles from column `first` on lie in rows of lines. Columns behind the last go to where
 * a line has room that nobody reads. */
static void find_places(const etn_layer *layer, const etn_pointwise_io *io, int32_t rows, int32_t first, int32_t tiles,
                        etn_places *places)
{
    const int32_t columns = layer->columns;
    int32_t row = first / columns, x = first % columns;
    for (int32_t i = 0; i < 4 * tiles; i++) {
        const int32_t counts = row < rows, at = counts ? x : columns + 1;
        const etn_pointwise_io *const of = io + (counts ? row : 0);
        places[i / 4].out[i % 4] = etn_upper_byte(of->out + at);
        places[i / 4].shortcut[i % 4] = of->shortcut ? etn_upper_byte(of->shortcut + at) : NULL;
        if (++x == columns)
            x = 0, row++;
    }
}

/* One tile whose sums the assembly does not requantise. `wide` is the output of its first column, or NULL. */
static void put(const etn_layer *layer, const etn_tiles *job, const etn_places *places, int32_t u, int32_t scale,
                int32_t *wide, int32_t columns)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    for (int32_t i = 0; i < 2 && u + i < layer->outputs; i++) {
        const etn_channel of = etn_channel_of(layer, u + i);
        const int32_t line = i ? job->line_v : job->line_u;
        for (int32_t j = 0; j < columns; j++) {
            const int32_t acc = job->sums[4 * i + j] >> scale;
            if (wide)
                wide[j * layer->outputs + u + i] = etn_affine(rescale, of, acc);
            else
                places->out[j][line] =
                    etn_requantise(rescale, of, acc, places->shortcut[j] ? places->shortcut[j][line] : 0);
        }
    }
}

/* Tiles of u and v, from column `first` on. */
static void tiles_of_pair(const etn_layer *layer, etn_tiles *job, const etn_places *places, int32_t tiles, int32_t u,
                          int32_t scale, int32_t *wide, int32_t columns)
{
    const int32_t group = 4 * etn_round_up(layer->inputs, 8);
    for (int32_t i = 0; i < tiles; i++, columns -= 4) {
        etn_run_tiles(job);
        job->operand += group;
        put(layer, job, places + i, u, scale, wide ? wide + 4 * i * layer->outputs : NULL, columns < 4 ? columns : 4);
    }
}

#define MOST_TILES 8 /* whose places are looked up together */

void etn_tile_rows(const etn_layer *layer, const etn_line *operand, const etn_pointwise_io *io, int32_t rows,
                   int32_t shortcut_pitch, int32_t pitch, int32_t *wide, int8_t *widened)
{
    const int32_t outputs = layer->outputs, columns = rows * layer->columns, all = (columns + 3) / 4;
    const int32_t has_shortcut = !wide && io->shortcut, group = 4 * etn_round_up(layer->inputs, 8);
    const etn_kind kind = wide ? columns % 4 ? ETN_SUMS : ETN_TO_WIDE
                          : !layer->relu || layer->low != -128 || (has_shortcut && shortcut_pitch != pitch) ? ETN_SUMS
                          : has_shortcut                  ? ETN_TO_PLACES_WITH_SHORTCUT
                          : rows == 1 && columns % 4 == 0 ? ETN_TO_LINE
                                                          : ETN_TO_PLACES;
    const int32_t most = kind == ETN_TO_LINE || kind == ETN_TO_WIDE ? all : MOST_TILES;
    etn_places places[MOST_TILES];
    etn_tiles job;
    job.places = places;
    for (int32_t tile = 0; tile < all; tile += most) {
        const int32_t tiles = all - tile < most ? all - tile : most;
        if (!wide && kind != ETN_TO_LINE)
            find_places(layer, io, rows, 4 * tile, tiles, places);
        for (int32_t u = 0; u < outputs; u += 2) {
            const int32_t v = u + 1 < outputs ? u + 1 : u;
            const int32_t scale = widen_pair(layer, u, v, widened, &job);
            etn_set_channels(&job, layer, u, v, scale, kind);
            job.operand = operand + tile * group;
            job.operand_end = job.operand + tiles * group;
            job.line_u = u * pitch * (int32_t)sizeof(etn_line);
            job.line_v = v * pitch * (int32_t)sizeof(etn_line);
            if (kind == ETN_SUMS || (wide && u == v)) {
                job.kind = ETN_SUMS;
                tiles_of_pair(layer, &job, places, tiles, u, scale, wide ? wide + 4 * tile * outputs : NULL,
                              columns - 4 * tile);
                continue;
            }
            if (wide) {
                job.out_u = wide + u;
                job.line_v = outputs * 4;
            } else if (kind == ETN_TO_LINE) {
                job.out_u = etn_upper_byte(io->out + u * pitch);
                job.out_v = etn_upper_byte(io->out + v * pitch);
            }
            etn_run_tiles(&job);
        }
    }
}
