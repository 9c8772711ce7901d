/* Every row that a layer computes goes to standard output: layer and bytes (uint32 each), then the values. */
#include <string.h>

#include "../src/etn_schedule.h"
#include "observe.h"
#include "port.h"

static char held[1024];
static size_t used;

static void flush(void)
{
    port_write(held, used);
    used = 0;
}

static void put(const void *from, size_t bytes)
{
    if (used + bytes > sizeof held)
        flush();
    memcpy(held + used, from, bytes);
    used += bytes;
}

void observe_begin(void)
{
}

void observe_end(void)
{
    flush();
}

void etn_observe(const etn_model *model, const etn_layer *layer, const void *row, int32_t pitch, int32_t step)
{
    const size_t size = layer->wide ? sizeof(int32_t) : 1;
    const uint32_t header[2] = {(uint32_t)(layer - model->layer),
                                (uint32_t)(layer->outputs * layer->columns * (int)size)};
    put(header, sizeof header);
    for (int32_t c = 0; c < layer->outputs; c++)
        for (int32_t x = 0; x < layer->columns; x++)
            put((const char *)row + (size_t)(c * pitch + x * step) * size, size);
}
