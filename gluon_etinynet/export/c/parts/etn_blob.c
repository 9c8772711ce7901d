#include "etn_blob.h"

#include "etn_crc.h"

#define MAGIC 0x57744e45u /* "ENtW" */

etn_status etn_check_blob(const etn_blob *blob, uint32_t layout)
{
    const uint8_t *const bytes = (const uint8_t *)blob;
    const uint32_t header = sizeof *blob - sizeof blob->header_crc;
    if (blob->magic != MAGIC || blob->header_crc != etn_crc(0, bytes, header))
        return ETN_NO_WEIGHTS;
    if (blob->version != ETN_VERSION || blob->layout != layout)
        return ETN_WRONG_VERSION;
    return etn_crc(0, bytes + sizeof *blob, blob->size - sizeof *blob) == blob->crc ? ETN_OK : ETN_NO_WEIGHTS;
}
