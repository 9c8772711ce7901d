#!/usr/bin/env bash
# Train EtinyNet-SSD to find your own classes:
#
#     bash recipes/finetune_ssd.sh --dataset-root DIR [options of tools/train_ssd.py]
#
# DIR has JPEGImages, Annotations (Pascal VOC's XML) and ImageSets/Main/{train,val}.txt; the classes are those
# of the annotations, or --classes NAME,NAME. The backbone starts from the released classifier, downloaded
# once; --params FILE starts from another, or from a whole detector. Then mAP, float and at 8 bits, per class,
# and a contact sheet of detections on validation pictures in --save-dir (runs/finetune_ssd). --resume goes on.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

save_dir=runs/finetune_ssd data=(--dataset custom) speed=() all=()
while [ $# -gt 0 ]; do
    case "$1" in
        --save-dir) save_dir=$(value "$@") ;;
        --dataset|--dataset-root|--train-split|--val-split|--classes) data+=("$1" "$(value "$@")") ;;
        --num-gpus|-j|--num-workers) speed+=("$1" "$(value "$@")") ;;
    esac
    all+=("$1"); shift
done
case " ${data[*]} " in
    *" --dataset-root "*) ;;
    *) die "--dataset-root DIR is missing: the folder with your pictures" ;;
esac

python tools/train_ssd.py --dataset custom --params released --batch-size 8 --lr 0.002 --epochs 60 \
    --augmentation ssd --val-interval 5 ${all[@]+"${all[@]}"} --save-dir "$save_dir/train"
python benchmarks/table5.py "${data[@]}" --params "$save_dir/train/best.params" --int8 ${speed[@]+"${speed[@]}"} \
    --save-dir "$save_dir"
