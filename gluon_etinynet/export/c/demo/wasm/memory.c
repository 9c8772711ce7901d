/* Compiled with -fno-builtin: a compiler would put a call of the function in the place of its own loop. */
#include "string.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
    unsigned char *a = to;
    const unsigned char *b = from;
    while (bytes--)
        *a++ = *b++;
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    unsigned char *a = to;
    while (bytes--)
        *a++ = (unsigned char)value;
    return to;
}

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end)
        end++;
    return (size_t)(end - text);
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}
