#!/usr/bin/env bash
# Table 4: EtinyNet-1.0 with weights and feature maps of 8 bits on an STM32F412 (pictures of 224 x 224) and an
# STM32F746 (256 x 256): flash and RAM by the linker, accuracy of the integer network beside the float one's.
#
#     bash recipes/table4.sh
#             memory alone, of random weights: a minute
#     bash recipes/table4.sh --calib-dir DIR --data-dir VAL
#             and the accuracy of the released EtinyNet-1.0; --params FILE takes other weights
#     bash recipes/table4.sh --calib-dir DIR --use-rec --rec-val VAL.rec
#             the same from RecordIO
#
# DIR: some hundred photographs like those of VAL and not among them. The integer network classifies about
# five a second. Needs make, arm-none-eabi-gcc with newlib and qemu-system-arm (Debian and Ubuntu:
# gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm). The paper: 64.7 (STM32F412) and 65.8
# (STM32F746). Result: runs/table4/.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/table4.py "$@"
