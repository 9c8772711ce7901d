#include "etn_tile.h"

#include <stddef.h>

/* The offsets in the assembly. */
typedef char etn_tiles_is_as_expected[offsetof(etn_tiles, weights) == 32 && offsetof(etn_tiles, out_u) == 60 &&
                                              offsetof(etn_tiles, weights_end) == 68 &&
                                              offsetof(etn_tiles, factor) == 84 && offsetof(etn_tiles, sums) == 100 &&
                                              sizeof(etn_places) == 32 && ETN_KINDS == 11
                                          ? 1
                                          : -1];

/* clang-format off */

/* Registers: r0 operand, r1 weights, r2 u, r3 v, r12 and lr columns; sums of u in r4-r7, of v in r8-r11. Behind the sums
 * r3 is the job, r1 m and r2 o.
 * Stack: end of the weights, job, end of the operand, places, operand. The job has where the first turn of the unrolled
 * loop begins, so that the last ends with the weights, and where a tile goes on after it. */
#define TWO(U0, V0, U1, V1)                                                                                            \
    "smlad " U0 ", r2, r12, " U0 "\n smlad " V0 ", r3, r12, " V0 "\n"                                                    \
    "smlad " U1 ", r2, lr, " U1 "\n smlad " V1 ", r3, lr, " V1 "\n"
#define PAIR /* of taps: 44 bytes */                                                                                   \
    "ldrd r2, r3, [r1], #8\n ldrd r12, lr, [r0], #8\n" TWO("r4", "r8", "r5", "r9")                                      \
    "ldrd r12, lr, [r0], #8\n" TWO("r6", "r10", "r7", "r11")
#define FOUR_PAIRS PAIR PAIR PAIR PAIR
#define M_AND_O_OF_U "ldrd r1, r2, [r3, #44]\n"
#define M_AND_O_OF_V "ldrd r1, r2, [r3, #52]\n"
#define NEXT_TILE "ldr r2, [sp, #8]\n cmp r0, r2\n bne.w 2b\n b.w 9f\n"

/* From the sum in R to the output: the first with m in r1, the second with m in the upper half of r1 above a shift. */
#define Q(R) "bic " R ", " R ", " R ", asr #31\n smmla " R ", " R ", r1, r2\n ssat " R ", #8, " R ", asr #10\n"
#define SHIFTED_Q(R)                                                                                                   \
    "bic " R ", " R ", " R ", asr #31\n lsl " R ", " R ", r1\n smlawt " R ", " R ", r1, r2\n"                            \
    "ssat " R ", #8, " R ", asr #10\n"

/* One behind the other, STEP bytes apart. */
#define PUT(Q, R, OUT, STEP) Q(R) "strb " R ", [" OUT "], #" STEP "\n"
#define IN_ROW(Q, STEP)                                                                                                \
    "ldrd r12, lr, [r3, #60]\n"                                                                                        \
    M_AND_O_OF_U PUT(Q, "r4", "r12", STEP) PUT(Q, "r5", "r12", STEP) PUT(Q, "r6", "r12", STEP) PUT(Q, "r7", "r12", STEP) \
    M_AND_O_OF_V PUT(Q, "r8", "lr", STEP) PUT(Q, "r9", "lr", STEP) PUT(Q, "r10", "lr", STEP) PUT(Q, "r11", "lr", STEP)   \
    "strd r12, lr, [r3, #60]\n" NEXT_TILE

/* To places: r12 these. lr bytes to the channel's line. */
#define PLACES "ldr r12, [sp, #12]\n"
#define NEXT_PLACES "add r12, #32\n str r12, [sp, #12]\n" NEXT_TILE
#define TWO_PLACES(R, S, OUT) "ldrd r1, r2, [r12, #" OUT "]\n strb " R ", [r1, lr]\n strb " S ", [r2, lr]\n"
#define AT_PLACES(Q)                                                                                                   \
    PLACES "ldr lr, [r3, #88]\n"                                                                                       \
    M_AND_O_OF_U Q("r4") Q("r5") Q("r6") Q("r7") TWO_PLACES("r4", "r5", "0") TWO_PLACES("r6", "r7", "8")                 \
    "ldr lr, [r3, #92]\n"                                                                                              \
    M_AND_O_OF_V Q("r8") Q("r9") Q("r10") Q("r11") TWO_PLACES("r8", "r9", "0") TWO_PLACES("r10", "r11", "8") NEXT_PLACES

/* The same with shortcuts: the first with their multiplier in r0, the second with it below m, and a shift in r0. The
 * bytes to the channel's line are in r3. */
#define SUM(R) "smlabb lr, lr, r0, r2\n smmla " R ", " R ", r1, lr\n"
#define SHIFTED_SUM(R) "lsl " R ", " R ", r0\n smlabb lr, lr, r1, r2\n smlawt " R ", " R ", r1, lr\n"
#define PUT_SUM(SUM, R, OUT, SHORTCUT)                                                                                 \
    "ldr lr, [r12, #" SHORTCUT "]\n ldrsb lr, [lr, r3]\n bic " R ", " R ", " R ", asr #31\n"                           \
    SUM(R) "ssat " R ", #8, " R ", asr #10\n ldr lr, [r12, #" OUT "]\n strb " R ", [lr, r3]\n"
#define FOUR_SUMS(SUM, R, S, T, U)                                                                                     \
    PUT_SUM(SUM, R, "0", "16") PUT_SUM(SUM, S, "4", "20") PUT_SUM(SUM, T, "8", "24") PUT_SUM(SUM, U, "12", "28")
#define WITH_SHORTCUTS(SUM)                                                                                            \
    PLACES "str r0, [sp, #16]\n ldr r0, [r3, #84]\n"                                                                   \
    M_AND_O_OF_U "ldr r3, [r3, #88]\n" FOUR_SUMS(SUM, "r4", "r5", "r6", "r7") "ldr r3, [sp, #4]\n"                      \
    M_AND_O_OF_V "ldr r3, [r3, #92]\n" FOUR_SUMS(SUM, "r8", "r9", "r10", "r11") "ldr r3, [sp, #4]\n ldr r0, [sp, #16]\n" \
    NEXT_PLACES

/* Of 32 bits, both channels of a column side by side; r12 bytes from a column to the next. */
#define AFFINE(R) "smmla " R ", " R ", r1, r2\n"
#define SHIFTED_AFFINE(R) "lsl " R ", " R ", r1\n smlawt " R ", " R ", r1, r2\n"
#define WIDE(AFFINE)                                                                                                   \
    M_AND_O_OF_U AFFINE("r4") AFFINE("r5") AFFINE("r6") AFFINE("r7")                                                     \
    M_AND_O_OF_V AFFINE("r8") AFFINE("r9") AFFINE("r10") AFFINE("r11")                                                   \
    "ldr lr, [r3, #60]\n ldr r12, [r3, #92]\n strd r4, r8, [lr]\n add lr, r12\n strd r5, r9, [lr]\n add lr, r12\n"      \
    "strd r6, r10, [lr]\n add lr, r12\n strd r7, r11, [lr]\n add lr, r12\n str lr, [r3, #60]\n" NEXT_TILE

__attribute__((naked)) void etn_run_tiles(__attribute__((unused)) etn_tiles *job)
{
    __asm__ volatile(
        "push {r4-r11, lr}\n sub sp, #20\n mov r3, r0\n ldrd r1, r2, [r3, #68]\n strd r1, r3, [sp]\n str r2, [sp, #8]\n"
        "ldr r2, [r3, #32]\n sub r1, r2, r1\n asr r1, r1, #3\n and r1, r1, #15\n mov r2, #44\n mul r1, r1, r2\n"
        "adr r2, 1f\n add r1, r2\n orr r1, #1\n str r1, [r3, #36]\n"
        "adr r2, 4f\n ldr r1, [r3, #96]\n ldr r1, [r2, r1, lsl #2]\n add r1, r2\n str r1, [r3, #40]\n"
        "ldrd r1, r0, [r3, #76]\n str r1, [sp, #12]\n b.w 2f\n"
        ".balign 4\n"
        "4: .word 10f-4b+1, 11f-4b+1, 12f-4b+1, 13f-4b+1, 14f-4b+1, 15f-4b+1, 16f-4b+1, 17f-4b+1, 18f-4b+1, 19f-4b+1, 20f-4b+1\n"
        "2: ldm r3, {r4-r11}\n ldrd r1, r2, [r3, #32]\n bx r2\n"
        ".balign 4\n"
        "1:\n" FOUR_PAIRS FOUR_PAIRS FOUR_PAIRS FOUR_PAIRS
        "ldrd r2, r3, [sp]\n cmp r1, r2\n bne.w 1b\n ldr pc, [r3, #40]\n"
        "10: add r3, #100\n stm r3, {r4-r11}\n b.w 9f\n"
        "11:\n" IN_ROW(Q, "2") "12:\n" IN_ROW(SHIFTED_Q, "2") "13:\n" IN_ROW(Q, "1") "14:\n" IN_ROW(SHIFTED_Q, "1")
        "15:\n" AT_PLACES(Q) "16:\n" AT_PLACES(SHIFTED_Q)
        "17:\n" WITH_SHORTCUTS(SUM) "18:\n" WITH_SHORTCUTS(SHIFTED_SUM) "19:\n" WIDE(AFFINE) "20:\n" WIDE(SHIFTED_AFFINE)
        "9: add sp, #20\n pop {r4-r11, pc}\n");
}

/* clang-format on */
