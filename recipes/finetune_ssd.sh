#!/usr/bin/env bash
# Train EtinyNet-SSD to find your own classes:
#
#     bash recipes/finetune_ssd.sh --dataset-root DIR [options of tools/train_ssd.py]
#
# DIR has JPEGImages, Annotations (Pascal VOC's XML) and ImageSets/Main/{train,val}.txt; the classes are those
# of the annotations, or --classes NAME,NAME. The backbone starts from the released classifier, downloaded
# once; --params FILE starts from another, or from a whole detector. Then mAP per class and a contact sheet of
# detections on validation pictures in --save-dir (runs/finetune_ssd), and the same at 8 bits in its folder int8.
# --resume goes on. On to a microcontroller: recipes/deploy.sh --params runs/finetune_ssd/train/best.params.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

save_dir=runs/finetune_ssd root="" network=etinynet1.0 split=train data=(--dataset custom) speed=() all=()
while [ $# -gt 0 ]; do
    case "$1" in
        --save-dir) save_dir=$(value "$@") ;;
        --int8|--validation-part) die "$1: this recipe rounds to 8 bits itself, and measures on --val-split" ;;
        --network) network=$(value "$@") ;;
        --dataset) [ "$(value "$@")" = custom ] || die "--dataset $2: for Pascal VOC there is recipes/table5.sh" ;;
        --dataset-root) root=$(value "$@"); data+=("$1" "$root") ;;
        --train-split) split=$(value "$@") ;;
        --val-split|--classes) data+=("$1" "$(value "$@")") ;;
        --num-gpus|-j|--num-workers) speed+=("$1" "$(value "$@")") ;;
    esac
    all+=("$1"); shift
done
[ -n "$root" ] || die "--dataset-root DIR is missing: the folder with your pictures"
photographs=()
for name in ${split//,/ }; do
    photographs+=("$root/$(dirname "$name")/ImageSets/Main/$(basename "$name").txt")
done

python tools/train_ssd.py --dataset custom --params released --batch-size 8 --lr 0.005 --epochs 60 \
    --augmentation ssd --val-interval 5 ${all[@]+"${all[@]}"} --save-dir "$save_dir/train"
best="$save_dir/train/best.params"
python tools/eval_ssd.py "${data[@]}" --params "$best" ${speed[@]+"${speed[@]}"} --save-dir "$save_dir"
printf '\nAt 8 bits\n'
python tools/quantize.py --model "ssd_256_${network}_voc" --params "$best" --scheme linear \
    --photographs "${photographs[@]}" --save-dir "$save_dir/int8"
python tools/eval_ssd.py "${data[@]}" --params "$save_dir/int8/net.params" ${speed[@]+"${speed[@]}"} \
    --save-dir "$save_dir/int8"
