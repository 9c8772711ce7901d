#include "etn_tile.h"

/* As a predictor of one column. `widened` holds the inputs as int16, then weights. */
void etn_dense(const etn_layer *layer, const int8_t *in, int32_t *out, int8_t *widened)
{
    const int32_t length = etn_round_up(layer->inputs, 8);
    etn_line *const operand = (etn_line *)(void *)widened;
    for (int32_t i = 0; i < length; i++)
        operand[i] = i < layer->inputs ? in[i] : 0;
    etn_predict_row(layer, operand, out, widened + length * (int32_t)sizeof(etn_line));
}
