#!/usr/bin/env bash
# From a folder of your own pictures to firmware for a microcontroller, in one command:
#
#     bash recipes/deploy.sh --data-dir MINE --val-dir VAL --mcu stm32f746 --out firmware
#     bash recipes/deploy.sh --dataset-root DIR --mcu stm32h743 --out firmware      a detector, of pictures with boxes
#
# MINE and VAL have a subfolder of pictures for each class, some dozens of each or more; DIR has JPEGImages,
# Annotations (Pascal VOC's XML) and ImageSets/Main/{train,val}.txt. The released weights, downloaded once, are
# fine-tuned to the classes (what stands behind a -- goes to the training, as -- --num-epochs 5; a checkpoint with
# these classes, --params FILE, is taken as it is), rounded to 8 bits (--weight-bits 4: learnt by ASQ from MINE),
# turned into integers and C, and linked for the microcontroller (`--help` lists those that are known) where
# arm-none-eabi-gcc is installed. Then firmware/ holds
#
#     c/                         the network in C99, to be dropped into a project: no heap, no float
#     network.npz, classes.txt   the integer network, and the names of its classes
#     deploy.md, .csv, .json     accuracy on VAL in float, quantised, and in integers; flash, RAM, and whether it fits
#     work/                      the training, and what a resumed command needs; may be removed afterwards
#
# Interrupted at any point, the same command goes on, and what is finished is not repeated. Ten classes of 250 pictures
# at 224 x 224 take some minutes of training on 2 cores, and as long again for the rest.
from=$PWD
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
tool=$PWD/tools/deploy.py
cd "$from" # the paths in the arguments are the caller's
exec python "$tool" "$@"
