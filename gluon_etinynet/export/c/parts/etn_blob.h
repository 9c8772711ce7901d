/* Weights in memory of their own, outside the firmware: tools/export_c.py --weights-blob writes the file. Its layers'
 * table, the pointers in it, and all numbers are as the processor has them, which must be one of 32 bits with the
 * lowest byte first. */
#ifndef ETN_BLOB_H
#define ETN_BLOB_H

#include "etn_model.h"

typedef struct {
    uint32_t magic;
    uint32_t version; /* ETN_VERSION */
    uint32_t layout;  /* what the firmware must agree in */
    uint32_t size;    /* bytes, this header included */
    uint32_t crc;     /* of what lies behind the header */
    uint32_t network; /* begins its SHA-256 */
    uint32_t zero;
    uint32_t header_crc; /* of what lies before */
} etn_blob;

typedef char etn_blob_fits[sizeof(void *) == 4 && sizeof(etn_blob) == 32 && sizeof(etn_layer) == 44 ? 1 : -1];

/* ETN_OK if the blob is whole and of this layout. */
etn_status etn_check_blob(const etn_blob *blob, uint32_t layout);

#endif
