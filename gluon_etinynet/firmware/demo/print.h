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

static inline void print_line(const char *name, int64_t value)
{
    print_text(name);
    print_text(" ");
    print_number(value);
    print_text("\n");
}

#endif
