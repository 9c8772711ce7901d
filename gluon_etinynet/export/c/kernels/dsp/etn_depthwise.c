#include <stddef.h>

#include "etn_kernels.h"
#include "etn_requantise.h"

/* What the assembly reads: it knows the order of the fields. The first four move from channel to channel. The sums are
 * 2^k times the accumulators: 256 times by the lines, 16 times by the widening of 4 bits, and if need be more by
 * `scale`, so that k >= L. */
typedef struct {
    const uint8_t *weights;
    const uint8_t *bias; /* of 3 bytes, or 4: as k is at least 8, what follows 3 does no harm */
    const int16_t *multiplier;
    const uint8_t *offset;
    const etn_line *top, *bottom, *middle;
    void *out;                /* a map's row, or an operand */
    int32_t rest;             /* bytes from a line's last group read to the next channel's first */
    int32_t bias_step;        /* 0 where all channels share one */
    int32_t bias_shift;       /* k */
    int32_t multiplier_shift; /* 16 + L - k */
    int32_t groups, tail;     /* of four columns, and of one */
    int32_t channels;         /* left */
    int32_t shortcut;         /* its multiplier */
    int32_t scale;            /* of the weights, as a shift; OF_4_BITS more where they have these */
    uint32_t spilt;           /* bits of an upper half that this shift brings up from the lower */
    int32_t place;            /* of the channel in its eight, of an operand */
    int32_t group_step;       /* bytes from four columns of an operand to the next */
    int32_t columns[3]; /* bytes from the first of four columns to the others, where these may lie in two groups */
    int32_t steps[8];   /* bytes from the end of a channel of an operand to the next, by place */
} etn_lines_job;

#define OF_4_BITS INT32_MIN /* the instructions that shift do not see it */

typedef char etn_lines_job_is_as_expected[offsetof(etn_lines_job, top) == 16 && offsetof(etn_lines_job, rest) == 32 &&
                                                  offsetof(etn_lines_job, groups) == 48 &&
                                                  offsetof(etn_lines_job, scale) == 64 &&
                                                  offsetof(etn_lines_job, steps) == 92
                                              ? 1
                                              : -1];

/* clang-format off */

/* Registers of a group: r0-r2 lines (top, bottom, middle), r3 out, r4-r7 sums, r8 and r9 weights, r10-r12 columns,
 * lr groups left. Stack: weights of the lines (w0 w1, w1 w2), the bias, m and o, the shortcut's multiplier, job,
 * a group's step or the groups left. */
#define BEGIN                                                                                                          \
    "push {r4-r11, lr}\n sub sp, #60\n ldr r1, [r0, #60]\n strd r1, r0, [sp, #40]\n"                                    \
    "add r0, #16\n ldm r0, {r0-r3}\n 1:\n"
#define END "add sp, #60\n pop {r4-r11, pc}\n"

/* r4 points at weights, lr at the job; what they are widened to goes to the stack. */
#define HALVES "sxtb16 r9, r8\n sxtb16 r10, r8, ror #8\n"
#define SCALED "ldrd r11, r12, [lr, #64]\n lsl r9, r11\n lsl r10, r11\n bic r9, r12\n bic r10, r12\n"
#define FIRST_THREE(AT) "pkhbt r11, r9, r10, lsl #16\n pkhbt r12, r10, r9\n strd r11, r12, [sp, #" AT "]\n"
#define LAST_THREE "pkhbt r11, r10, r9\n pkhtb r12, r10, r9, asr #16\n strd r11, r12, [sp, #8]\n"
#define NINE(SCALED)                                                                                                   \
    "ldr r8, [r4], #3\n" HALVES SCALED FIRST_THREE("0") "ldr r8, [r4], #2\n" HALVES SCALED FIRST_THREE("16")            \
    "ldr r8, [r4], #4\n" HALVES SCALED LAST_THREE
#define NINE_OF_4                                                                                                      \
    "ldr r8, [r4], #4\n mov r11, #0xf0f0f0f0\n and r9, r11, r8, lsl #4\n and r8, r8, r11\n"                             \
    "sxtb16 r10, r9\n sxtb16 r9, r9, ror #8\n sxtb16 r11, r8\n sxtb16 r8, r8, ror #8\n" /* 04 26 15 37 */               \
    "ldrd r12, lr, [lr, #64]\n lsl r8, r12\n lsl r9, r12\n lsl r10, r12\n lsl r11, r12\n"                              \
    "bic r8, lr\n bic r9, lr\n bic r10, lr\n bic r11, lr\n"                                                           \
    "rsb r12, #8\n ldrb lr, [r4], #1\n lsl lr, lr, #28\n asr lr, r12\n pkhtb r12, lr, r8, asr #16\n str r12, [sp, #12]\n" \
    "pkhbt r12, r10, r11, lsl #16\n str r12, [sp, #0]\n pkhbt r12, r11, r9, lsl #16\n str r12, [sp, #4]\n"               \
    "pkhbt r12, r8, r10\n str r12, [sp, #16]\n pkhtb r12, r11, r10, asr #16\n str r12, [sp, #20]\n"                      \
    "pkhtb r12, r8, r9, asr #16\n str r12, [sp, #8]\n ldr lr, [sp, #44]\n"

/* By the job's scale: 8 bits as they are, 4 bits, 8 bits scaled. */
#define WIDEN                                                                                                          \
    "ldr r8, [lr, #64]\n cmp r8, #0\n bgt.w 8f\n blt.w 7f\n" NINE("") "b.w 9f\n"                                       \
    "7:\n" NINE_OF_4 "b.w 9f\n 8:\n" NINE(SCALED) "9:\n"

#define CHANNEL                                                                                                \
    "ldr lr, [sp, #44]\n ldm lr, {r4-r7}\n" WIDEN                                                                      \
    "ldr r8, [r5]\n ldrd r9, r10, [lr, #36]\n add r5, r9\n lsl r8, r10\n str r8, [sp, #24]\n"         \
    "ldrsh r8, [r6], #2\n ldr r10, [lr, #44]\n lsl r8, r10\n ldr r9, [r7], #3\n sbfx r9, r9, #0, #24\n strd r8, r9, [sp, #32]\n"                \
    "stm lr, {r4-r7}\n"
#define NEXT_CHANNEL                                                                                                   \
    "ldr lr, [sp, #44]\n ldr r8, [lr, #32]\n add r0, r8\n add r1, r8\n add r2, r8\n"                                  \
    "ldr r8, [lr, #56]\n subs r8, #1\n str r8, [lr, #56]\n bne.w 1b\n"

/* A line's share of the sums, which are added to the registers P-S. */
#define LINE_1(LINE, AT, P, Q, R, S)                                                                                   \
    "ldr r12, [" LINE ", #8]\n ldrd r8, r9, [sp, #" AT "]\n ldrd r10, r11, [" LINE "], #8\n"                           \
    "smlad r4, r10, r8, " P "\n smlabt r4, r11, r9, r4\n smlatb r5, r10, r8, " Q "\n smlad r5, r11, r9, r5\n"           \
    "smlad r6, r11, r8, " R "\n smlabt r6, r12, r9, r6\n smlatb r7, r11, r8, " S "\n smlad r7, r12, r9, r7\n"
#define LINE_2(LINE, AT, P, Q, R, S)                                                                                   \
    "ldrd r8, r9, [sp, #" AT "]\n ldrd r10, r11, [" LINE "], #8\n ldr r12, [" LINE "], #8\n"                           \
    "smlad r4, r10, r8, " P "\n smlabt r4, r11, r9, r4\n smlad r5, r11, r8, " Q "\n smlabt r5, r12, r9, r5\n"           \
    "ldrd r10, r11, [" LINE ", #-4]\n"                                                                                 \
    "smlad r6, r12, r8, " R "\n smlabt r6, r10, r9, r6\n smlad r7, r10, r8, " S "\n smlabt r7, r11, r9, r7\n"
#define SUMS(LINE)                                                                                                     \
    "ldr r7, [sp, #24]\n" LINE("r0", "0", "r7", "r7", "r7", "r7") LINE("r1", "8", "r4", "r5", "r6", "r7")               \
    LINE("r2", "16", "r4", "r5", "r6", "r7")

/* r8 m, r9 o */
#define AFFINE "ldrd r8, r9, [sp, #32]\n"
#define Q(R) "smmla " R ", " R ", r8, r9\n ssat " R ", #8, " R ", asr #10\n"
#define RELU(R) "bic " R ", " R ", " R ", asr #31\n"
#define TO_GROUP                                                                                                       \
    Q("r4") "strh r4, [r3]\n" Q("r5") "strh r5, [r3, #4]\n" Q("r6") "strh r6, [r3, #8]\n" Q("r7") "strh r7, [r3, #12]\n"
#define TO_COLUMNS                                                                                                     \
    "ldr r10, [sp, #44]\n add r10, #80\n ldm r10, {r10, r11, r12}\n"                                                    \
    Q("r4") "strh r4, [r3]\n" Q("r5") "strh r5, [r3, r10]\n" Q("r6") "strh r6, [r3, r11]\n" Q("r7") "strh r7, [r3, r12]\n"
#define FOUR_OF_MAP AFFINE RELU("r4") Q("r4") RELU("r5") Q("r5") RELU("r6") Q("r6") RELU("r7") Q("r7")
/* lr the shortcut's multiplier; TAKE takes the shortcut from one of two columns in FROM */
#define SUM(R, TAKE)                                                                                                   \
    TAKE "smlabb r10, r10, lr, r9\n" RELU(R) "smmla " R ", " R ", r8, r10\n ssat " R ", #8, " R ", asr #10\n"
#define UPPER(FROM) "asr r10, " FROM ", #24\n"
#define LOWER(FROM) "sbfx r10, " FROM ", #8, #8\n"
#define FOUR_OF_SUM "ldrd r8, r9, [sp, #32]\n ldr lr, [sp, #40]\n" \
    SUM("r4", UPPER("r10")) SUM("r5", LOWER("r11")) SUM("r6", UPPER("r11")) SUM("r7", LOWER("r12"))
#define STORE_FOUR "strb r4, [r3], #1\n strb r5, [r3], #1\n strb r6, [r3], #1\n strb r7, [r3], #1\n"
/* One to three columns of the four, r8 of them. The lines have moved by a group too many. */
#define TAIL "ldr r8, [sp, #44]\n ldr r8, [r8, #52]\n"
#define STORE_TAIL                                                                                                     \
    "strb r4, [r3], #1\n cmp r8, #2\n blt 5f\n strb r5, [r3], #1\n beq 5f\n strb r6, [r3], #1\n 5:\n"

#define OPERAND(LINE, STORE)                                                                                        \
    BEGIN CHANNEL "ldr r8, [lr, #76]\n str r8, [sp, #48]\n ldr lr, [lr, #48]\n"                     \
    "3:\n" SUMS(LINE) AFFINE STORE                                                                                     \
    "ldr r10, [sp, #48]\n add r3, r10\n subs lr, #1\n bne.w 3b\n"                                                      \
    "ldr lr, [sp, #44]\n ldr r8, [lr, #72]\n and r9, r8, #7\n add r8, #1\n str r8, [lr, #72]\n"                        \
    "add r9, lr, r9, lsl #2\n ldr r9, [r9, #92]\n add r3, r9\n" NEXT_CHANNEL END
#define MAP(LINE)                                                                                               \
    BEGIN CHANNEL "ldr lr, [lr, #48]\n cmp lr, #0\n beq.w 4f\n"                                    \
    "3:\n" SUMS(LINE) FOUR_OF_MAP STORE_FOUR "subs lr, #1\n bne.w 3b\n"                                               \
    "4:\n" TAIL "cmp r8, #0\n beq.w 6f\n" SUMS(LINE) FOUR_OF_MAP TAIL STORE_TAIL "6:\n" NEXT_CHANNEL END
#define MAP_SUM(LINE)                                                                                           \
    BEGIN CHANNEL "ldr lr, [lr, #48]\n cmp lr, #0\n beq.w 4f\n"                                 \
    "3: str lr, [sp, #48]\n" SUMS(LINE) FOUR_OF_SUM STORE_FOUR "ldr lr, [sp, #48]\n subs lr, #1\n bne.w 3b\n"          \
    "4:\n" TAIL "cmp r8, #0\n beq.w 6f\n" SUMS(LINE) FOUR_OF_SUM TAIL STORE_TAIL "6:\n" NEXT_CHANNEL END

#define KERNEL(NAME, BODY)                                                                                             \
    __attribute__((naked)) static void NAME(__attribute__((unused)) etn_lines_job *job)                                \
    {                                                                                                                  \
        __asm__ volatile(BODY);                                                                                        \
    }

/* clang-format on */

KERNEL(to_groups, OPERAND(LINE_1, TO_GROUP))
KERNEL(to_columns, OPERAND(LINE_1, TO_COLUMNS))
KERNEL(to_columns_by_2, OPERAND(LINE_2, TO_COLUMNS))
KERNEL(to_map, MAP(LINE_1))
KERNEL(to_map_by_2, MAP(LINE_2))
KERNEL(to_map_with_shortcut, MAP_SUM(LINE_1))

static const uint8_t no_bias[4];

/* Whether the assembly computes the layer; the job but for its output, if so. */
static int32_t is_fast(const etn_layer *layer, const etn_line *const rows[3], etn_lines_job *job)
{
    const int32_t least = layer->bits == 4 ? 12 : 8, k = layer->shift > least ? layer->shift : least;
    const int32_t read = etn_round_up(layer->columns, 4) * layer->stride;
    if ((layer->bits != 8 && layer->bits != 4) || k > least + 8 || layer->room < k || layer->stride > 2 ||
        layer->low != -128)
        return 0;
    job->top = rows[0];
    job->middle = rows[1];
    job->bottom = rows[2];
    job->weights = layer->weights;
    job->bias = layer->bias ? layer->bias : no_bias;
    job->multiplier = layer->multiplier;
    job->offset = layer->offset;
    job->rest = (etn_pitch(layer->in_columns, layer->stride) - read) * (int32_t)sizeof(etn_line);
    job->bias_step = layer->bias ? layer->bias_bytes : 0;
    job->bias_shift = k;
    job->multiplier_shift = 16 + layer->shift - k;
    job->groups = layer->columns / 4;
    job->tail = layer->columns % 4;
    job->channels = layer->outputs;
    job->shortcut = layer->shortcut_multiplier;
    job->scale = k - least + (layer->bits == 4 ? OF_4_BITS : 0);
    job->spilt = (((uint32_t)1 << (k - least)) - 1) << 16;
    return 1;
}

/* What the assembly does not serve. Value (c, x) of the output goes to column first_column + x of the operand, or to
 * to_map. */
static void reference(const etn_layer *layer, const etn_line *const rows[3], etn_line *operand, int32_t first_column,
                      int8_t *to_map, int8_t *widened)
{
    const etn_rescale rescale = etn_rescale_of(layer);
    const int32_t columns = layer->columns, stride = layer->stride, pitch = etn_pitch(layer->in_columns, stride);
    for (int32_t c = 0; c < layer->outputs; c++) {
        const int8_t *const w = etn_weights(layer, c, widened);
        const etn_channel channel = etn_channel_of(layer, c);
        for (int32_t x = 0; x < columns; x++) {
            const int32_t first = c * pitch + x * stride;
            int32_t acc = channel.bias;
            for (int32_t i = 0; i < 9; i++)
                acc += w[i] * (rows[i / 3][first + i % 3] / ETN_LINE_UNIT);
            const int8_t value = etn_requantise(rescale, channel, acc, rows[1][first + 1] / ETN_LINE_UNIT);
            if (to_map)
                to_map[c * columns + x] = value;
            else
                operand[etn_operand_index(layer + 1, c, first_column + x)] = value;
        }
    }
}

void etn_depthwise_operand(const etn_layer *layer, const etn_line *const rows[3], etn_line *operand, int32_t first,
                           int8_t *widened)
{
    const int32_t bytes = (int32_t)sizeof(etn_line);
    etn_lines_job job;
    if (layer->relu || layer->shortcut || !is_fast(layer, rows, &job)) {
        reference(layer, rows, operand, first, NULL, widened);
        return;
    }
    const etn_layer *const reader = layer + 1;
    const int32_t begin = etn_operand_index(reader, 0, first);
    job.out = operand + begin;
    job.groups = (layer->columns + 3) / 4;
    job.place = 0;
    job.group_step = 4 * etn_round_up(layer->outputs, 8) * bytes;
    for (int32_t x = 0; x < 3; x++)
        job.columns[x] = (etn_operand_index(reader, 0, first + 1 + x) - begin) * bytes;
    for (int32_t c = 0; c < 8; c++)
        job.steps[c] = (etn_operand_index(reader, c + 1, 0) - etn_operand_index(reader, c, 0)) * bytes -
                       job.groups * job.group_step;
    if (layer->stride == 2)
        to_columns_by_2(&job);
    else if (first % 4)
        to_columns(&job);
    else
        to_groups(&job);
}

void etn_depthwise_map(const etn_layer *layer, const etn_line *const rows[3], int8_t *out, int8_t *widened)
{
    etn_lines_job job;
    if (!layer->relu || (layer->shortcut && layer->stride != 1) || !is_fast(layer, rows, &job)) {
        reference(layer, rows, NULL, 0, out, widened);
        return;
    }
    job.out = out;
    if (layer->shortcut)
        to_map_with_shortcut(&job);
    else if (layer->stride == 1)
        to_map(&job);
    else
        to_map_by_2(&job);
}
