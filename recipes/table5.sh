#!/usr/bin/env bash
# Table 5: EtinyNet-SSD on Pascal VOC: multiply-adds, size, memory and mAP beside the paper's.
#
#     bash recipes/table5.sh                   multiply-adds, parameters, memory (seconds)
#     bash recipes/table5.sh --params FILE     and the mAP of a checkpoint on VOC 2007 test, per class; --int8:
#                                              rounded to 8 bits too (a contact sheet: tools/eval_ssd.py)
#     bash recipes/table5.sh --train [--num-gpus 4] [--resume] ...
#                                              first trains on VOC 2007 and 2012 trainval from the released
#                                              classifier (options of tools/train_ssd.py), then the above
#     bash recipes/table5.sh --demo            makes a set of drawn shapes, trains on it from random weights and
#                                              evaluates it on other such pictures (no network, no VOC), with a
#                                              contact sheet, and in 8 bits; half an hour on one core
#
# VOC is looked for in ~/.mxnet/datasets/voc (VOC2007 and VOC2012, as GluonCV's scripts/datasets/pascal_voc.py
# unpacks them) or in --dataset-root DIR. Paper: 56.4 % mAP at 8 bits.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

train=false demo=false save_dir=runs/table5 network=etinynet1.0 data=() speed=() all=()
while [ $# -gt 0 ]; do
    case "$1" in
        --train) train=true; shift; continue ;;
        --demo) demo=true; shift; continue ;;
        --save-dir) save_dir=$(value "$@") ;;
        --network) network=$(value "$@") ;;
        --dataset|--dataset-root|--train-split|--val-split|--classes) data+=("$1" "$(value "$@")") ;;
        --num-gpus|-j|--num-workers) speed+=("$1" "$(value "$@")") ;;
    esac
    all+=("$1"); shift
done

if [ "$demo" = true ]; then
    [ ${#data[@]} -eq 0 ] || die "--demo makes its own data set; leave out ${data[0]}"
    [ -d "$save_dir/shapes" ] || python tools/make_shapes.py "$save_dir/shapes" --train 960
    data=(--dataset custom --dataset-root "$save_dir/shapes")
    python benchmarks/table5.py --save-dir "$save_dir"
    python tools/train_ssd.py "${data[@]}" --lr 0.03 --batch-size 8 --epochs 20 \
        --val-interval 5 --augmentation mirror --log-interval 20 ${all[@]+"${all[@]}"} --save-dir "$save_dir/train"
    python tools/eval_ssd.py "${data[@]}" --params "$save_dir/train/best.params" ${speed[@]+"${speed[@]}"} \
        --save-dir "$save_dir/float"
    printf '\nAt 8 bits\n'
    python tools/quantize.py --model "ssd_256_${network}_voc" --params "$save_dir/train/best.params" \
        --scheme linear --photographs "$save_dir/shapes/ImageSets/Main/train.txt" --save-dir "$save_dir/int8"
    exec python tools/eval_ssd.py "${data[@]}" --params "$save_dir/int8/net.params" ${speed[@]+"${speed[@]}"} \
        --save-dir "$save_dir/int8"
elif [ "$train" = true ]; then
    python tools/train_ssd.py --params released ${all[@]+"${all[@]}"} --save-dir "$save_dir/train"
    exec python benchmarks/table5.py ${data[@]+"${data[@]}"} --params "$save_dir/train/best.params" --int8 \
        ${speed[@]+"${speed[@]}"} --save-dir "$save_dir"
fi
exec python benchmarks/table5.py ${all[@]+"${all[@]}"}
