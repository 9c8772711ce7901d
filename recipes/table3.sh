#!/usr/bin/env bash
# Table 3: weights of 4 bits in every layer, ASQ beside DoReFa, from the same float checkpoint.
#
#     bash recipes/table3.sh --photographs DIR... --val-dir DIR...
#             from unlabelled photographs, thousands of as many classes as possible. With 2000: 19 to 24 minutes a
#             scheme on one core, 4.6 GB of memory. Before channels started with one largest magnitude, lambda where
#             rounding costs least, and with --damping 0.1: on 430 validation photographs (float 76.3) 72.7 (ASQ) and
#             74.5 (DoReFa), on 500 of ten classes (60.2) 56.0 and 53.0, means of two seeds; with --num-images 256
#             --steps 50, a minute: 69.5 and 63.7, 55.2 and 48.1. Now, with 9,023 photographs and --steps 3000, an
#             hour and a half of a core: 73.3 and 61.2 (ASQ, one seed; the second set's ten classes were learnt from)
#     bash recipes/table3.sh --rec-train TRAIN.rec --rec-val VAL.rec --num-gpus 8
#             with labels, as the paper: 40 epochs, learning rate 0.01 with a cosine, batch 1024
#     bash recipes/table3.sh --cifar CIFAR10.npz [--model etinynet0.75] [--seeds 0 1 2]
#             the same on a small set of pictures, the float network trained first
#
# More options: --schemes, --weight-bits 2 to 8, --per-channel, --seeds, --params FILE, and for ablations --crops,
# --steps, --damping, --no-balancing, --lambda-lr; see --help. Interrupted, the same command goes
# on. The paper, on ImageNet: 60.7 (ASQ) and 55.1 (DoReFa) for EtinyNet-1.0, 65.5 in float. Result: runs/table3/.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/table3.py "$@"
