/* The demo's port to a PC. */
#include "port.h"

#include <stdio.h>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

size_t port_read(void *to, size_t bytes)
{
#ifdef _WIN32
    _setmode(_fileno(stdin), _O_BINARY);
#endif
    return fread(to, 1, bytes, stdin);
}

void port_write(const void *from, size_t bytes)
{
    if (fwrite(from, 1, bytes, stdout) != bytes)
        perror("standard output");
}

void port_complain(const char *text)
{
    (void)fputs(text, stderr);
}

uint64_t port_instructions(void)
{
    return 0;
}

uint32_t port_stack_bytes(void)
{
    return 0;
}
