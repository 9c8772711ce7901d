#include "etn_tile.h"

#include <stddef.h>

/* The offsets in the assembly. */
typedef char etn_tiles_is_as_expected[offsetof(etn_tiles, weights) == 32 && offsetof(etn_tiles, out_u) == 56 &&
                                              offsetof(etn_tiles, weights_end) == 64 &&
                                              offsetof(etn_tiles, sums) == 80 && offsetof(etn_tiles, pitch) == 92 &&
                                              sizeof(etn_places) == 32
                                          ? 1
                                          : -1];

/* clang-format off */

/* Registers: r0 operand, r1 weights, r2 u, r3 v, r12 and lr columns; sums of u in r4-r7, of v in r8-r11.
 * Stack: job, end of the weights, end of the operand, places, operand. Where the first turn of the unrolled loop
 * begins, so that the last ends with the weights, stands in the job. */
#define BEGIN                                                                                                          \
    "push {r4-r11, lr}\n sub sp, #20\n ldrd r1, r2, [r0, #64]\n stm sp, {r0, r1, r2}\n ldr r2, [r0, #32]\n"             \
    "sub r1, r2, r1\n asr r1, r1, #3\n and r1, r1, #15\n mov r2, #44\n mul r1, r1, r2\n adr r2, 1f\n add r1, r2\n"     \
    "orr r1, #1\n str r1, [r0, #36]\n ldrd r1, r0, [r0, #72]\n str r1, [sp, #12]\n"                                    \
    "2: ldr r2, [sp]\n ldm r2, {r4-r11}\n ldrd r1, r2, [r2, #32]\n bx r2\n"                                             \
    ".balign 4\n 1:\n"
#define TWO(U0, V0, U1, V1)                                                                                            \
    "smlad " U0 ", r2, r12, " U0 "\n smlad " V0 ", r3, r12, " V0 "\n"                                                    \
    "smlad " U1 ", r2, lr, " U1 "\n smlad " V1 ", r3, lr, " V1 "\n"
#define PAIR /* of taps: 44 bytes */                                                                                   \
    "ldrd r2, r3, [r1], #8\n ldrd r12, lr, [r0], #8\n" TWO("r4", "r8", "r5", "r9")                                      \
    "ldrd r12, lr, [r0], #8\n" TWO("r6", "r10", "r7", "r11")
#define FOUR_PAIRS PAIR PAIR PAIR PAIR
#define TILE                                                                                                           \
    BEGIN FOUR_PAIRS FOUR_PAIRS FOUR_PAIRS FOUR_PAIRS "ldr r2, [sp, #4]\n cmp r1, r2\n bne.w 1b\n ldr r1, [sp]\n"
#define NEXT_TILE "ldr r2, [sp, #8]\n cmp r0, r2\n bne.w 2b\n"
#define END "add sp, #20\n pop {r4-r11, pc}\n"

/* r2 m above the shift, r3 o */
#define Q(R)                                                                                                           \
    "bic " R ", " R ", " R ", asr #31\n lsl " R ", " R ", r2\n smlawt " R ", " R ", r2, r3\n"                            \
    "ssat " R ", #8, " R ", asr #10\n"

/* lr out */
#define PUT(R) Q(R) "strb " R ", [lr], #2\n" /* the upper byte of an element */
#define PUT_BYTE(R) Q(R) "strb " R ", [lr], #1\n"
#define RELU(PUT)                                                                                                      \
    TILE "ldrd r2, r3, [r1, #40]\n ldr lr, [r1, #56]\n" PUT("r4") PUT("r5") PUT("r6") PUT("r7")                         \
    "str lr, [r1, #56]\n ldrd r2, r3, [r1, #48]\n ldr lr, [r1, #60]\n" PUT("r8") PUT("r9") PUT("r10") PUT("r11")        \
    "str lr, [r1, #60]\n" NEXT_TILE END

/* r12 places, r1 bytes to the channel's line */
#define PLACE(R, OUT) "ldr lr, [r12, #" OUT "]\n strb " R ", [lr, r1]\n"
#define PUT_AT(R, OUT) Q(R) PLACE(R, OUT)
/* r0 shift, r2 m above the shortcut's */
#define PUT_SUM(R, OUT, SHORTCUT)                                                                                      \
    "ldr lr, [r12, #" SHORTCUT "]\n ldrsb lr, [lr, r1]\n bic " R ", " R ", " R ", asr #31\n lsl " R ", " R ", r0\n"      \
    "smlabb lr, lr, r2, r3\n smlawt " R ", " R ", r2, lr\n ssat " R ", #8, " R ", asr #10\n" PLACE(R, OUT)
#define U "ldr r12, [sp, #12]\n ldrd r2, r3, [r1, #40]\n ldr r1, [r1, #88]\n"
#define V "ldr lr, [sp]\n ldrd r2, r3, [lr, #48]\n ldr lr, [lr, #92]\n add r1, lr\n"
#define NEXT_PLACES "add r12, #32\n str r12, [sp, #12]\n"

#define KERNEL(NAME, BODY)                                                                                             \
    __attribute__((naked)) void NAME(__attribute__((unused)) etn_tiles *job)                                           \
    {                                                                                                                  \
        __asm__ volatile(BODY);                                                                                        \
    }

KERNEL(etn_tile_sums, TILE "ldr r1, [r1, #80]\n stm r1, {r4-r11}\n" END)
KERNEL(etn_tiles_relu, RELU(PUT))
KERNEL(etn_tiles_relu_bytes, RELU(PUT_BYTE))
KERNEL(etn_tiles_relu_places,
       TILE U PUT_AT("r4", "0") PUT_AT("r5", "4") PUT_AT("r6", "8") PUT_AT("r7", "12")
       V PUT_AT("r8", "0") PUT_AT("r9", "4") PUT_AT("r10", "8") PUT_AT("r11", "12") NEXT_PLACES NEXT_TILE END)
KERNEL(etn_tiles_relu_shortcut,
       TILE "str r0, [sp, #16]\n ldr r0, [r1, #84]\n"
       U PUT_SUM("r4", "0", "16") PUT_SUM("r5", "4", "20") PUT_SUM("r6", "8", "24") PUT_SUM("r7", "12", "28")
       V PUT_SUM("r8", "0", "16") PUT_SUM("r9", "4", "20") PUT_SUM("r10", "8", "24") PUT_SUM("r11", "12", "28")
       "ldr r0, [sp, #16]\n" NEXT_PLACES NEXT_TILE END)
