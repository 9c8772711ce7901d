#include "etn_dsp.h"
#include "etn_tile.h"

/* Eight weights of 8 bits of each channel a turn. */
static void widen8(const uint8_t *u, const uint8_t *v, int32_t count, int32_t *to)
{
    for (; count; count -= 8, u += 8, v += 8, to += 8) {
        const uint32_t u0 = etn_word(u), u1 = etn_word(u + 4), v0 = etn_word(v), v1 = etn_word(v + 4);
        to[0] = etn_even(u0);
        to[1] = etn_even(v0);
        to[2] = etn_odd(u0);
        to[3] = etn_odd(v0);
        to[4] = etn_even(u1);
        to[5] = etn_even(v1);
        to[6] = etn_odd(u1);
        to[7] = etn_odd(v1);
    }
}

/* Eight weights of 4 bits of each channel a turn, 16 times as large. */
static void widen4(const uint8_t *u, const uint8_t *v, int32_t count, int32_t *to)
{
    const uint32_t upper = 0xf0f0f0f0u;
    for (; count; count -= 8, u += 4, v += 4, to += 8) {
        const uint32_t a = etn_word(u), b = etn_word(v);
        const uint32_t u0 = a << 4 & upper, u1 = a & upper, v0 = b << 4 & upper, v1 = b & upper;
        to[0] = etn_even(u0);
        to[1] = etn_even(v0);
        to[2] = etn_odd(u0);
        to[3] = etn_odd(v0);
        to[4] = etn_even(u1);
        to[5] = etn_even(v1);
        to[6] = etn_odd(u1);
        to[7] = etn_odd(v1);
    }
}

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

void etn_tile_row(const etn_layer *layer, const etn_line *operand, const etn_line *shortcut, int32_t shortcut_pitch,
                  etn_line *narrow, int32_t pitch, int32_t *wide, int8_t *widened)
{
    const int32_t columns = layer->columns, outputs = layer->outputs, upper = layer->shortcut_multiplier * 65536;
    const int32_t is_fast = narrow && layer->relu && layer->low == -128;
    int32_t sums[8];
    etn_tiles job;
    job.sums = sums;
    job.shortcut_u = job.shortcut_v = NULL;
    job.out_u = job.out_v = NULL;
    for (int32_t u = 0; u < outputs; u += 2) {
        const int32_t v = u + 1 < outputs ? u + 1 : u;
        const int32_t scale = etn_widen_pair(layer, u, v, widened, &job), length = 2 * (job.weights_end - job.weights);
        job.multiplier_u = (uint16_t)layer->multiplier[u] | upper;
        job.multiplier_v = (uint16_t)layer->multiplier[v] | upper;
        job.offset_u = layer->offset[u];
        job.offset_v = layer->offset[v];
        job.shift = layer->shift - scale;
        if (narrow) {
            job.out_u = narrow + u * pitch;
            job.out_v = narrow + v * pitch;
        }
        if (shortcut) {
            job.shortcut_u = shortcut + u * shortcut_pitch;
            job.shortcut_v = shortcut + v * shortcut_pitch;
        }
        int32_t x = 0;
        if (is_fast && columns >= 4) {
            job.operand = operand;
            job.tiles = columns / 4;
            if (shortcut)
                etn_tiles_relu_shortcut(&job);
            else
                etn_tiles_relu(&job);
            x = columns / 4 * 4;
        }
        while (x < columns) {
            const int32_t left = columns - x, some = left >= 4 ? 4 : left >= 2 ? 2 : 1;
            job.operand = operand + x / 4 * length + x % 4 * 2;
            job.tiles = 1;
            etn_tile_sums(&job, some);
            put(layer, &job, u, v, x, some, scale, wide);
            if (narrow)
                advance(&job, some);
            x += some;
        }
    }
}
