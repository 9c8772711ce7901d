/* The board of the examples: a UART, and a camera that delivers one frame over and over. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

void uart_begin(void);
void uart_write(const void *from, size_t bytes);

/* Copy row y of the frame, as a DMA channel would put it into a buffer. */
void camera_read(uint32_t y, void *row, size_t bytes);

#endif
