/* Instructions of the DSP extension. */
#ifndef ETN_DSP_H
#define ETN_DSP_H

#include <stdint.h>
#include <string.h>

#ifndef __ARM_FEATURE_DSP
#error "these kernels are for processors with the DSP extension: export with --kernels portable, or --mcu"
#endif

/* Four bytes, whatever their alignment. */
static inline uint32_t etn_word(const void *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* Bytes 0 and 2, with their signs, as two halves. */
static inline int32_t etn_even(uint32_t bytes)
{
    int32_t halves;
    __asm__("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
    return halves;
}

/* Bytes 1 and 3. */
static inline int32_t etn_odd(uint32_t bytes)
{
    int32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
}

/* The lower halves of a and b. */
static inline uint32_t etn_lower(int32_t a, int32_t b)
{
    uint32_t both;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(both) : "r"(a), "r"(b));
    return both;
}

/* The larger of each two of four signed bytes. */
static inline uint32_t etn_larger(uint32_t a, uint32_t b)
{
    uint32_t of_both;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(of_both) : "r"(a), "r"(b) : "cc");
    return of_both;
}

#endif
