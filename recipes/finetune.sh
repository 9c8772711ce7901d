#!/usr/bin/env bash
# Fine-tune the released EtinyNet-1.0 to your own classes:
#
#     bash recipes/finetune.sh --data-dir photos/train --val-dir photos/val [options of tools/train_imagenet.py]
#
# Each folder has a subfolder of pictures for each class, or a labels.csv. The released weights are
# downloaded once (--params FILE takes others); options given here override those below. Classes called by their
# ImageNet wnid start with the released classifier's weights for them, others at zero. On Imagenette (2,500
# pictures, 2 epochs, some minutes on 2 cores) 96 to 97 % of the validation pictures.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

exec python tools/train_imagenet.py --params released --lr 0.002 --features-lr-mult 0.1 --warmup-epochs 0.5 \
    --batch-size 64 --num-epochs 2 --log-interval 10 --save-dir runs/finetune "$@"
