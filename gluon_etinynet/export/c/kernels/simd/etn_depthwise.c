#include "etn_kernels.h"
#include "etn_outputs.h"

/* Two int16 in all lanes of 32 bits. */
static etn_vector pair_of(int32_t lower, int32_t upper)
{
    return etn_all32((int32_t)((uint32_t)(lower & 0xffff) | (uint32_t)upper << 16));
}

/* Four outputs. At stride 1 values of two rows, or two neighbours, are paired; at stride 2 neighbours lie so. */
static inline etn_vector sums_of(const etn_line *p, const etn_line *q, const etn_line *r, int32_t stride,
                                 const etn_vector w[6], etn_vector bias)
{
    etn_vector sums = bias;
    if (stride == 1) {
        for (int32_t i = 0; i < 3; i++)
            sums = etn_add(sums, etn_dot(etn_pairs(etn_load16(p + i), etn_load16(q + i)), w[i]));
        sums = etn_add(sums, etn_dot(etn_pairs(etn_load16(r), etn_load16(r + 1)), w[3]));
        return etn_add(sums, etn_dot(etn_pairs(etn_load16(r + 2), etn_load16(r + 2)), w[4]));
    }
    const etn_line *const rows[3] = {p, q, r};
    for (int32_t i = 0; i < 3; i++) {
        sums = etn_add(sums, etn_dot(etn_load16(rows[i]), w[2 * i]));
        sums = etn_add(sums, etn_dot(etn_load16(rows[i] + 2), w[2 * i + 1]));
    }
    return sums;
}

static void weights_of(const int8_t *w, int32_t stride, etn_vector pairs[6])
{
    for (int32_t i = 0; i < 3; i++) {
        pairs[stride == 1 ? i : 2 * i] = stride == 1 ? pair_of(w[i], w[3 + i]) : pair_of(w[3 * i], w[3 * i + 1]);
        if (stride != 1)
            pairs[2 * i + 1] = pair_of(w[3 * i + 2], 0);
    }
    if (stride == 1) {
        pairs[3] = pair_of(w[6], w[7]);
        pairs[4] = pair_of(w[8], 0);
    }
}

/* Strides other than 1 and 2. */
static etn_vector slow_sums(const etn_line *const p[3], int32_t stride, const int8_t *w, int32_t bias)
{
    int32_t sums[4];
    for (int32_t x = 0; x < 4; x++) {
        sums[x] = bias;
        for (int32_t i = 0; i < 9; i++)
            sums[x] += w[i] * p[i / 3][x * stride + i % 3];
    }
    etn_vector all;
    memcpy(&all, sums, sizeof all);
    return all;
}

/* To `to_map`, or to columns of `operand`, whichever is not NULL. */
static inline void convolve(const etn_layer *layer, const etn_line *const rows[3], int8_t *to_map, etn_line *operand,
                            int32_t operand_step, int8_t *widened)
{
    const int32_t columns = layer->columns, stride = layer->stride, pitch = etn_pitch(layer->in_columns, stride);
    for (int32_t c = 0; c < layer->outputs; c++) {
        const int8_t *const w = etn_weights(layer, c, widened);
        const etn_four of = etn_four_of(layer, c);
        const int32_t bias = etn_channel_of(layer, c).bias;
        etn_vector pairs[6];
        weights_of(w, stride, pairs);
        for (int32_t x = 0; x < columns; x += 4) {
            const etn_line *const p[3] = {rows[0] + c * pitch + x * stride, rows[1] + c * pitch + x * stride,
                                          rows[2] + c * pitch + x * stride};
            const etn_vector sums =
                stride <= 2 ? sums_of(p[0], p[1], p[2], stride, pairs, etn_all32(bias)) : slow_sums(p, stride, w, bias);
            const etn_vector out = etn_requantise_four(&of, sums, layer->shortcut ? p[1] + 1 : NULL);
            const int32_t count = columns - x < 4 ? columns - x : 4;
            int32_t values[4];
            if (to_map && count == 4) {
                etn_store8(to_map + c * columns + x, out);
                continue;
            }
            etn_store32(values, out);
            for (int32_t i = 0; i < count; i++) {
                if (to_map)
                    to_map[c * columns + x + i] = (int8_t)values[i];
                else
                    operand[(x + i) * operand_step + c] = (etn_line)values[i];
            }
        }
    }
}

void etn_depthwise_operand(const etn_layer *layer, const etn_line *const rows[3], etn_line *operand, int32_t first,
                           int8_t *widened)
{
    convolve(layer, rows, NULL, operand + etn_operand_index(layer + 1, 0, first), etn_round_up(layer->outputs, 8),
             widened);
}

void etn_depthwise_map(const etn_layer *layer, const etn_line *const rows[3], int8_t *out, int8_t *widened)
{
    convolve(layer, rows, out, NULL, 0, widened);
}
