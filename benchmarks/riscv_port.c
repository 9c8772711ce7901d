/* The demo's port to a RISC-V without a C library, under QEMU's emulation of Linux: start, and three system calls. */
#include "port.h"

#include <string.h>

int main(int argc, char **argv);

enum { SYS_READ = 63, SYS_WRITE = 64, SYS_EXIT = 93 };

static long outside(long call, long first, const void *second, size_t third)
{
    register long a0 __asm__("a0") = first;
    register const void *a1 __asm__("a1") = second;
    register size_t a2 __asm__("a2") = third;
    register long a7 __asm__("a7") = call;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

size_t port_read(void *to, size_t bytes)
{
    size_t got = 0;
    while (got < bytes) {
        const long more = outside(SYS_READ, 0, (char *)to + got, bytes - got);
        if (more <= 0)
            break;
        got += (size_t)more;
    }
    return got;
}

static void put(long stream, const void *from, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        const long more = outside(SYS_WRITE, stream, (const char *)from + done, bytes - done);
        if (more <= 0)
            break;
        done += (size_t)more;
    }
}

void port_write(const void *from, size_t bytes)
{
    put(1, from, bytes);
}

void port_complain(const char *text)
{
    put(2, text, strlen(text));
}

uint64_t port_instructions(void)
{
    return 0;
}

uint32_t port_stack_bytes(void)
{
    return 0;
}

/* At the start the stack has the number of words and, behind it, pointers to them. */
__attribute__((used)) void begin(int *stack);
void begin(int *stack)
{
    outside(SYS_EXIT, main(*stack, (char **)(stack + 1)), NULL, 0);
}

__asm__(".globl _start\n_start:\n"
        "    .option push\n    .option norelax\n    la gp, __global_pointer$\n    .option pop\n"
        "    mv a0, sp\n    call begin\n");
