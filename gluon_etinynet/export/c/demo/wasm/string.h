/* What the runtime and the demo take of <string.h>, for processors without a C library: memory.c has it. */
#ifndef STRING_H
#define STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);

#endif
