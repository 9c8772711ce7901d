/* What the demo needs of the machine it runs on. */
#ifndef PORT_H
#define PORT_H

#include <stddef.h>
#include <stdint.h>

/* Read at most so many bytes of standard input; returns how many came. */
size_t port_read(void *to, size_t bytes);

/* Write to standard output. */
void port_write(const void *from, size_t bytes);

/* Write a line's part to standard error. */
void port_complain(const char *text);

/* Instructions executed so far; always 0 where they cannot be counted. */
uint64_t port_instructions(void);

/* The most bytes of stack in use so far; 0 where that is not known. */
uint32_t port_stack_bytes(void);

#endif
