#!/usr/bin/env bash
# Table 2 and Figure 1: size, multiply-adds and ImageNet accuracy beside the paper's.
#
#     bash recipes/table2.sh                              sizes and multiply-adds of every network that can be built
#     bash recipes/table2.sh --data-dir DIR               and the accuracy of the released EtinyNet-1.0 (seconds to minutes)
#     bash recipes/table2.sh --use-rec --rec-val VAL.rec  the same from RecordIO
#     bash recipes/table2.sh --train --rec-train TRAIN.rec --rec-val VAL.rec --num-gpus 8 [--resume] ...
#                                                         first trains with the paper's settings (300 epochs, batch
#                                                         1024; options of tools/train_imagenet.py), then the table
#
# Expected on ImageNet's 50,000 validation pictures: 65.5 / 86.2 for EtinyNet-1.0.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

train=false model=etinynet1.0 save_dir=runs/table2 gpus=0 rec_val="" val_dir="" rec_val_idx=() all=()
while [ $# -gt 0 ]; do
    case "$1" in
        --train) train=true; shift; continue ;;
        --model) model=$(value "$@") ;;
        --save-dir) save_dir=$(value "$@") ;;
        --num-gpus) gpus=$(value "$@") ;;
        --rec-val) rec_val=$(value "$@") ;;
        --rec-val-idx) rec_val_idx=(--rec-val-idx "$(value "$@")") ;;
        --val-dir) val_dir=$(value "$@") ;;
    esac
    all+=("$1"); shift
done

case $model in etinynet1.0|etinynet0.75) ;; *) die "--model $model: Table 2 has etinynet1.0 and etinynet0.75" ;; esac
if [ "$train" = false ]; then
    exec python benchmarks/table2.py ${all[@]+"${all[@]}"}
fi
if [ -n "$rec_val" ]; then
    validation=(--use-rec --rec-val "$rec_val" ${rec_val_idx[@]+"${rec_val_idx[@]}"})
elif [ -n "$val_dir" ]; then
    validation=(--data-dir "$val_dir")
else
    die "--train needs validation data: --rec-val FILE or --val-dir DIR"
fi
python tools/train_imagenet.py "${all[@]}" --save-dir "$save_dir/$model"
python benchmarks/table2.py --model "$model" --params "$save_dir/$model/best.params" "${validation[@]}" \
    --num-gpus "$gpus" --save-dir "$save_dir"
