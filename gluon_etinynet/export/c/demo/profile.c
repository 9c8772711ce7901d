/* Instructions of every layer: all that was executed since the row before it, copying of rows included. */
#include "../src/etn_schedule.h"
#include "observe.h"
#include "print.h"

#define MAX_LAYERS 512

static uint64_t spent[MAX_LAYERS], last;

void observe_begin(void)
{
    last = port_instructions();
}

void observe_end(void)
{
    for (int i = 0; i < MAX_LAYERS; i++)
        if (spent[i]) {
            print_text("layer ");
            print_number(i);
            print_line(" instructions", (int64_t)spent[i]);
        }
}

void etn_observe(const etn_model *model, const etn_layer *layer, const void *row, etn_form form, int32_t pitch)
{
    (void)row, (void)form, (void)pitch;
    if (layer - model->layer < MAX_LAYERS)
        spent[layer - model->layer] += port_instructions() - last;
    last = port_instructions();
}
