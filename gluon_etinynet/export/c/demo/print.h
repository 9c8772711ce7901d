/* Text without the weight of stdio. */
#ifndef PRINT_H
#define PRINT_H

#include <string.h>

#include "port.h"

static inline void print_text(const char *text)
{
    port_write(text, strlen(text));
}

static inline void print_number(int64_t value)
{
    char digits[24];
    size_t first = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        digits[--first] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        digits[--first] = '-';
    port_write(digits + first, sizeof digits - first);
}

/* `value` in units of 2^-bits, with so many decimals, rounded towards zero. */
static inline void print_fixed(int32_t value, int32_t bits, int32_t decimals)
{
    const uint32_t size = value < 0 ? 0 - (uint32_t)value : (uint32_t)value, one = (uint32_t)1 << bits;
    uint64_t fraction = size % one;
    if (value < 0)
        print_text("-");
    print_number(size / one);
    print_text(".");
    for (; decimals; decimals--, fraction %= one) {
        fraction *= 10;
        print_number((int64_t)(fraction / one));
    }
}

static inline void print_line(const char *name, int64_t value)
{
    print_text(name);
    print_text(" ");
    print_number(value);
    print_text("\n");
}

#endif
