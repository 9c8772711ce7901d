/* Every row that a layer computes goes to standard output: layer and bytes (uint32 each), then the values.
 * Numbers of four bytes go from the lowest on, whatever the processor's order is. */
#include <string.h>

#include "../src/etn_schedule.h"
#include "observe.h"
#include "port.h"

static char held[1024];
static size_t used;

#ifdef TRACE_IN_HEX
static void write_held(void)
{
    for (size_t i = 0; i < used; i++) {
        static const char digits[] = "0123456789abcdef";
        const unsigned byte = (unsigned char)held[i];
        const char text[3] = {digits[byte >> 4], digits[byte & 15], '\n'};
        port_write(text, i % 32 == 31 || i + 1 == used ? 3 : 2);
    }
}
#else
static void write_held(void)
{
    port_write(held, used);
}
#endif

static void flush(void)
{
    write_held();
    used = 0;
}

static void put(const void *from, size_t bytes)
{
    if (used + bytes > sizeof held)
        flush();
    memcpy(held + used, from, bytes);
    used += bytes;
}

static void put_word(uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    put(bytes, sizeof bytes);
}

void observe_begin(void)
{
}

void observe_end(void)
{
    flush();
}

static void put_value(const etn_layer *layer, const void *row, etn_form form, int32_t pitch, int32_t c, int32_t x)
{
    const etn_line *const line = row;
    if (form == ETN_OF_WIDE) {
        put_word((uint32_t)((const int32_t *)row)[x * layer->outputs + c]);
        return;
    }
    const int32_t value = form == ETN_OF_MAP    ? ((const int8_t *)row)[c * pitch + x]
                          : form == ETN_OF_LINE ? line[c * pitch + x] / ETN_LINE_UNIT
                                                : line[etn_operand_index(layer + 1, c, pitch + x)];
    const int8_t byte = (int8_t)value;
    put(&byte, 1);
}

void etn_observe(const etn_model *model, const etn_layer *layer, const void *row, etn_form form, int32_t pitch)
{
    const uint32_t size = form == ETN_OF_WIDE ? sizeof(int32_t) : 1;
    put_word((uint32_t)(layer - model->layer));
    put_word((uint32_t)(layer->outputs * layer->columns) * size);
    for (int32_t c = 0; c < layer->outputs; c++)
        for (int32_t x = 0; x < layer->columns; x++)
            put_value(layer, row, form, pitch, c, x);
}
