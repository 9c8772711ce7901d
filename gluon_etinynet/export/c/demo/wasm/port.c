/* The demo's port to WebAssembly: what it needs of the outside, run.js gives. */
#include "../port.h"

#include <string.h>

#include "../words.h"

#define OF_PORT(name) __attribute__((import_module("port"), import_name(name)))

OF_PORT("read") size_t outside_read(void *to, size_t bytes);
OF_PORT("write") void outside_write(const void *from, size_t bytes);
OF_PORT("complain") void outside_complain(const char *text, size_t bytes);
OF_PORT("words") void outside_words(char *line, size_t bytes);

int main(int argc, char **argv);

size_t port_read(void *to, size_t bytes)
{
    return outside_read(to, bytes);
}

void port_write(const void *from, size_t bytes)
{
    outside_write(from, bytes);
}

void port_complain(const char *text)
{
    outside_complain(text, strlen(text));
}

uint64_t port_instructions(void)
{
    return 0;
}

uint32_t port_stack_bytes(void)
{
    return 0;
}

int start(void);
__attribute__((export_name("start"))) int start(void)
{
    static char line[256], *words[16];
    outside_words(line, sizeof line);
    return main(split(line, words, 16), words);
}
