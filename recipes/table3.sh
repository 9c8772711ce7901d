#!/usr/bin/env bash
# Table 3: weights of 4 bits in every layer, ASQ beside DoReFa, from the same float checkpoint.
#
#     bash recipes/table3.sh --few-shot DIR... --val-dir DIR...
#             from unlabelled photographs, a couple of thousand of as many classes as possible: minutes on the
#             CPU. With 2000, on 430 validation photographs (float 76.3): 71.7 (ASQ), 70.1 (DoReFa), two seeds
#     bash recipes/table3.sh --rec-train TRAIN.rec --rec-val VAL.rec --num-gpus 8
#             with labels, as the paper: 40 epochs, learning rate 0.01 with a cosine, batch 1024
#     bash recipes/table3.sh --cifar CIFAR10.npz [--model etinynet0.75] [--seeds 0 1 2]
#             the same on a small set of pictures, the float network trained first
#
# More options: --schemes, --weight-bits 2 to 8, --per-channel, --seeds, --params FILE; see --help. Interrupted,
# the same command goes on. The paper, on ImageNet: 60.7 (ASQ) and 55.1 (DoReFa) for EtinyNet-1.0, 65.5 in
# float. Result: runs/table3/.
extras=demo
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/table3.py "$@"
