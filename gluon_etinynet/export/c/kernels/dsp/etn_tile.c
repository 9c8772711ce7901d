#include "etn_tile.h"

#include <stddef.h>

/* The offsets in the assembly. */
typedef char etn_tiles_is_as_expected[offsetof(etn_tiles, weights) == 32 && offsetof(etn_tiles, shift) == 52 &&
                                              offsetof(etn_tiles, shortcut_u) == 64 &&
                                              offsetof(etn_tiles, weights_end) == 72 &&
                                              offsetof(etn_tiles, tiles) == 84
                                          ? 1
                                          : -1];

/* clang-format off */

/* Registers: r0 operand, r1 weights, r2 u, r3 v, r12 and lr columns; sums of u in r4-r7, of v in r8-r11.
 * Stack: job, end of the weights, where the first turn of the unrolled loop begins, tiles left. */
#define BEGIN(BYTES_OF_A_PAIR)                                                                                        \
    "push {r4-r11, lr}\n sub sp, #20\n str r0, [sp]\n"                                                                 \
    "ldr r1, [r0, #72]\n str r1, [sp, #4]\n ldr r2, [r0, #32]\n"                                                       \
    "sub r1, r2, r1\n asr r1, r1, #3\n and r1, r1, #7\n"                                                              \
    "mov r2, #" BYTES_OF_A_PAIR "\n mul r1, r1, r2\n adr r2, 1f\n add r1, r2\n orr r1, #1\n str r1, [sp, #8]\n"          \
    "ldr r1, [r0, #84]\n str r1, [sp, #12]\n ldr r0, [r0, #80]\n"                                                      \
    "2: ldr r1, [sp]\n ldm r1, {r4-r11}\n ldr r2, [sp, #8]\n ldr r1, [r1, #32]\n bx r2\n"                               \
    ".balign 4\n 1:\n"
#define LOOP "ldr r2, [sp, #4]\n cmp r1, r2\n bne.w 1b\n ldr r1, [sp]\n"
#define NEXT_TILE "ldr r2, [sp, #12]\n subs r2, #1\n str r2, [sp, #12]\n bne.w 2b\n"
#define END "add sp, #20\n pop {r4-r11, pc}\n"

#define TWO(U0, V0, U1, V1)                                                                                            \
    "smlad " U0 ", r2, r12, " U0 "\n smlad " V0 ", r3, r12, " V0 "\n"                                                    \
    "smlad " U1 ", r2, lr, " U1 "\n smlad " V1 ", r3, lr, " V1 "\n"
#define PAIR_OF_4                                                                                                      \
    "ldrd r2, r3, [r1], #8\n ldrd r12, lr, [r0], #8\n" TWO("r4", "r8", "r5", "r9")                                      \
    "ldrd r12, lr, [r0], #8\n" TWO("r6", "r10", "r7", "r11")
#define PAIR_OF_2 "ldrd r2, r3, [r1], #8\n ldrd r12, lr, [r0], #16\n" TWO("r4", "r8", "r5", "r9")
#define PAIR_OF_1                                                                                                      \
    "ldrd r2, r3, [r1], #8\n ldr r12, [r0], #16\n smlad r4, r2, r12, r4\n smlad r8, r3, r12, r8\n"
#define TIMES_8(PAIR) PAIR PAIR PAIR PAIR PAIR PAIR PAIR PAIR

/* r2 m, r3 o, r12 shift, lr out */
#define PUT_AS(STORE, R)                                                                                                   \
    "bic " R ", " R ", " R ", asr #31\n lsl " R ", " R ", r12\n smlawb " R ", " R ", r2, r3\n"                            \
    "ssat " R ", #8, " R ", asr #10\n " STORE "\n"
#define PUT(R) PUT_AS("strh " R ", [lr], #2", R)
#define PUT_BYTE(R) PUT_AS("strb " R ", [lr], #1", R)
/* and r1 shortcut */
#define PUT_SUM(R)                                                                                                     \
    "ldrsh r0, [r1], #2\n bic " R ", " R ", " R ", asr #31\n lsl " R ", " R ", r12\n smlabt r0, r0, r2, r3\n"             \
    "smlawb " R ", " R ", r2, r0\n ssat " R ", #8, " R ", asr #10\n strh " R ", [lr], #2\n"

#define RELU(PUT)                                                                                                      \
    BEGIN("44") TIMES_8(PAIR_OF_4) LOOP                                                                                \
    "ldrd r2, r3, [r1, #36]\n ldrd r12, lr, [r1, #52]\n" PUT("r4") PUT("r5") PUT("r6") PUT("r7")                        \
    "str lr, [r1, #56]\n ldrd r2, r3, [r1, #44]\n ldr lr, [r1, #60]\n" PUT("r8") PUT("r9") PUT("r10") PUT("r11")        \
    "str lr, [r1, #60]\n" NEXT_TILE END

__attribute__((naked)) void etn_tiles_relu(__attribute__((unused)) etn_tiles *job)
{
    __asm__ volatile(RELU(PUT));
}

__attribute__((naked)) void etn_tiles_relu_bytes(__attribute__((unused)) etn_tiles *job)
{
    __asm__ volatile(RELU(PUT_BYTE));
}

__attribute__((naked)) void etn_tiles_relu_shortcut(__attribute__((unused)) etn_tiles *job)
{
    __asm__ volatile(
        BEGIN("44") TIMES_8(PAIR_OF_4) LOOP
        "str r0, [sp, #16]\n"
        "ldrd r2, r3, [r1, #36]\n ldrd r12, lr, [r1, #52]\n ldr r1, [r1, #64]\n"
        PUT_SUM("r4") PUT_SUM("r5") PUT_SUM("r6") PUT_SUM("r7")
        "ldr r0, [sp]\n str lr, [r0, #56]\n str r1, [r0, #64]\n"
        "ldrd r2, r3, [r0, #44]\n ldr lr, [r0, #60]\n ldr r1, [r0, #68]\n"
        PUT_SUM("r8") PUT_SUM("r9") PUT_SUM("r10") PUT_SUM("r11")
        "ldr r0, [sp]\n str lr, [r0, #60]\n str r1, [r0, #68]\n ldr r0, [sp, #16]\n" NEXT_TILE END);
}

#define SUMS "ldr r1, [r1, #76]\n stm r1, {r4-r11}\n" END

__attribute__((naked)) static void sums_of_4(__attribute__((unused)) etn_tiles *job)
{
    __asm__ volatile(BEGIN("44") TIMES_8(PAIR_OF_4) LOOP SUMS);
}

__attribute__((naked)) static void sums_of_2(__attribute__((unused)) etn_tiles *job)
{
    __asm__ volatile(BEGIN("24") TIMES_8(PAIR_OF_2) LOOP SUMS);
}

__attribute__((naked)) static void sums_of_1(__attribute__((unused)) etn_tiles *job)
{
    __asm__ volatile(BEGIN("16") TIMES_8(PAIR_OF_1) LOOP SUMS);
}

/* clang-format on */

void etn_tile_sums(etn_tiles *job, int32_t columns)
{
    if (columns == 4)
        sums_of_4(job);
    else if (columns == 2)
        sums_of_2(job);
    else
        sums_of_1(job);
}
