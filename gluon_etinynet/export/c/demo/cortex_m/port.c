/* The demo's port to a Cortex-M under QEMU's boards, as the Makefile lists them: start, semihosting, count. */
#include "../port.h"

#include <string.h>

#include "../words.h"

int main(int argc, char **argv);

extern uint32_t data_begin[], data_end[], data_load[], bss_begin[], bss_end[], stack_bottom[], stack_top[];

/* ---- Semihosting ---- */

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };
enum { READ_BINARY = 1, WRITE_BINARY = 5, APPEND_BINARY = 9 };

static uintptr_t host(uintptr_t operation, const void *arguments)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* The console's streams: standard input, output and error by the mode in which it is opened. */
static uintptr_t console(uintptr_t mode)
{
    const uintptr_t arguments[3] = {(uintptr_t) ":tt", mode, 3};
    return host(SYS_OPEN, arguments);
}

static void put(uintptr_t stream, const void *from, size_t bytes)
{
    const uintptr_t arguments[3] = {stream, (uintptr_t)from, bytes};
    host(SYS_WRITE, arguments);
}

size_t port_read(void *to, size_t bytes)
{
    static uintptr_t in;
    size_t got = 0;
    if (in == 0)
        in = console(READ_BINARY);
    while (got < bytes) {
        const uintptr_t arguments[3] = {in, (uintptr_t)to + got, bytes - got};
        const size_t missing = host(SYS_READ, arguments);
        if (missing >= bytes - got)
            break;
        got = bytes - missing;
    }
    return got;
}

void port_write(const void *from, size_t bytes)
{
    static uintptr_t out;
    if (out == 0)
        out = console(WRITE_BINARY);
    put(out, from, bytes);
}

void port_complain(const char *text)
{
    put(console(APPEND_BINARY), text, strlen(text));
}

/* ---- Counting: with -icount shift=6 an instruction takes 64 ns ---- */

#if defined __ARM_ARCH_6M__ /* microbit: an nRF51's timer 0, 16 MHz, of 32 bits */

#define OF_TIMER(offset) (*(volatile uint32_t *)(0x40008000u + (offset)))

static void start_counting(void)
{
    OF_TIMER(0x508) = 3; /* 32 bits */
    OF_TIMER(0x510) = 0; /* no prescaler */
    OF_TIMER(0x000) = 1; /* start */
}

uint64_t port_instructions(void)
{
    OF_TIMER(0x040) = 1; /* capture */
    return (uint64_t)OF_TIMER(0x540) * 125 / 128;
}

#elif defined __ARM_FEATURE_MVE /* mps3-an547: the FPGA's counter, 20 MHz */

#define COUNTER (*(volatile uint32_t *)0x59302018u)

static void start_counting(void)
{
    COUNTER = 0;
}

uint64_t port_instructions(void)
{
    return (uint64_t)COUNTER * 50 / 64;
}

#else /* CMSDK timer 0 */

typedef struct {
    volatile uint32_t control, value, reload;
} timer;

#ifdef __ARM_ARCH_8M_MAIN__ /* mps2-an505, 20 MHz */
#define TIMER ((timer *)0x50000000u)
#define TICK 50 /* ns */
#else           /* the other mps2, 25 MHz */
#define TIMER ((timer *)0x40000000u)
#define TICK 40
#endif

static void start_counting(void)
{
    TIMER->reload = TIMER->value = UINT32_MAX;
    TIMER->control = 1;
}

uint64_t port_instructions(void)
{
    return (uint64_t)(UINT32_MAX - TIMER->value) * TICK / 64;
}

#endif

#define PAINT 0x5aa55aa5u

uint32_t port_stack_bytes(void)
{
    const uint32_t *word = stack_bottom;
    while (word < stack_top && *word == PAINT)
        word++;
    return (uint32_t)((uintptr_t)stack_top - (uintptr_t)word);
}

/* ---- Start ---- */

static void leave(uintptr_t status)
{
    const uintptr_t application_exit = 0x20026, arguments[2] = {application_exit, status};
    host(SYS_EXIT_EXTENDED, arguments);
    for (;;)
        ;
}

/* Not inlined: it may save vector registers before it does anything else. */
__attribute__((noinline)) static void start(void)
{
    static char line[256], *words[16];
    memcpy(data_begin, data_load, (size_t)((char *)data_end - (char *)data_begin));
    memset(bss_begin, 0, (size_t)((char *)bss_end - (char *)bss_begin));
    uint32_t *const here = (uint32_t *)__builtin_frame_address(0) - 32;
    for (uint32_t *word = stack_bottom; word < here; word++)
        *word = PAINT;
    start_counting();
    const uintptr_t arguments[2] = {(uintptr_t)line, sizeof line};
    host(SYS_GET_CMDLINE, arguments);
    leave((uintptr_t)main(split(line, words, 16), words));
}

#define COPROCESSORS (*(volatile uint32_t *)0xe000ed88u)

void reset(void);
void reset(void)
{
#ifdef __ARM_FP /* then the compiler takes the registers of floating point and vectors for integers, too */
    COPROCESSORS |= 0xfu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    start();
}

static void fault(void)
{
    port_complain("the processor faulted\n");
    leave(1);
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     (uintptr_t)fault, (uintptr_t)fault,
};
