/* The trace as lines of hexadecimal digits, for serial lines that do not carry every byte. */
#define TRACE_IN_HEX
#include "trace.c"
