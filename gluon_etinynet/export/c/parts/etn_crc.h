/* CRC-32 as zlib, PNG and Ethernet have it. */
#ifndef ETN_CRC_H
#define ETN_CRC_H

#include <stdint.h>

/* Of `bytes` bytes behind those of which `crc` is; at first it is 0. */
static inline uint32_t etn_crc(uint32_t crc, const uint8_t *from, uint32_t bytes)
{
    static const uint32_t of_nibble[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    crc = ~crc;
    for (; bytes; bytes--, from++) {
        crc = of_nibble[(crc ^ *from) & 15] ^ crc >> 4;
        crc = of_nibble[(crc ^ (uint32_t)*from >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

#endif
