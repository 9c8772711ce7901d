#!/usr/bin/env bash
# Table 5: EtinyNet-SSD on Pascal VOC: multiply-adds, size, memory and mAP beside the paper's.
#
#     bash recipes/table5.sh                   multiply-adds, parameters, memory (seconds)
#     bash recipes/table5.sh --params FILE     and a checkpoint on VOC 2007 test: mAP per class in float and as 8-bit
#                                              integers, the C on this computer on every picture and on a simulated
#                                              Cortex-M7 on three, its flash, RAM and instructions
#     bash recipes/table5.sh --train [--num-gpus 4] [--resume] ...
#                                              first trains on VOC 2007 and 2012 trainval from the released
#                                              classifier (options of tools/train_ssd.py), then the above
#     bash recipes/table5.sh --demo            the same on a set of drawn shapes, from random weights: needs no
#                                              network and no VOC; half an hour on one core
#
# VOC is looked for in ~/.mxnet/datasets/voc (VOC2007 and VOC2012, as GluonCV's scripts/datasets/pascal_voc.py
# unpacks them) or in --dataset-root DIR. Paper: 56.4 % mAP at 8 bits. Needs make, a C compiler, gcc-arm-none-eabi,
# libnewlib-arm-none-eabi and qemu-system-arm.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

train=false demo=false save_dir=runs/table5 root=~/.mxnet/datasets/voc params=""
split="" lists=() data=() speed=() other=() all=()
while [ $# -gt 0 ]; do
    case "$1" in
        --train) train=true; shift; continue ;;
        --demo) demo=true; shift; continue ;;
        --save-dir) save_dir=$(value "$@") ;;
        --params) params=$(value "$@") ;;
        --network*) die "Table 5 is of EtinyNet-1.0; recipes/finetune_ssd.sh takes --network" ;;
        --int8) die "$1: this recipe rounds to 8 bits itself, after the training" ;;
        --dataset-root) root=$(value "$@"); data+=("$1" "$root") ;;
        --train-split) split=$(value "$@") ;;
        --dataset|--val-split|--classes) data+=("$1" "$(value "$@")") ;;
        --num-gpus|-j|--num-workers) speed+=("$1" "$(value "$@")") ;;
        *) other+=("$1"); all+=("$1"); shift; continue ;;
    esac
    all+=("$1"); shift
    all+=("$1"); shift
done
missing=()
for program in make cc arm-none-eabi-gcc qemu-system-arm; do
    command -v "$program" >/dev/null || missing+=("$program")
done
[ ${#missing[@]} -eq 0 ] || [ "$train$demo$params" = falsefalse ] ||
    die "missing: ${missing[*]}; on Debian and Ubuntu, apt-get install -y make gcc gcc-arm-none-eabi" \
        "libnewlib-arm-none-eabi qemu-system-arm"
given=${data[0]:-${split:+--train-split}} # of a data set
if [ "$train$demo" = falsefalse ]; then # with a training these are its options
    [ ${#other[@]} -eq 0 ] || die "${other[0]} is an option of trainings: give --train or --demo too, or leave it out"
    useless=${given:-${speed[0]:-}}
    [ -n "$params" ] || [ -z "$useless" ] || die "$useless is of no use without --params FILE"
fi
case " ${data[*]-} " in *" --dataset custom "*) split=${split:-train} ;; esac
split=${split:-VOC2007/trainval,VOC2012/trainval}

if [ "$demo" = true ]; then
    [ -z "$given" ] || die "--demo makes its own data set; leave out $given"
    root="$save_dir/shapes" split=train data=(--dataset custom --dataset-root "$save_dir/shapes")
    [ -d "$root" ] || python tools/make_shapes.py "$root" --train 960
    python tools/train_ssd.py "${data[@]}" --lr 0.03 --batch-size 8 --epochs 20 --val-interval 5 --augmentation mirror \
        --log-interval 20 ${all[@]+"${all[@]}"} --save-dir "$save_dir/train"
elif [ "$train" = true ]; then
    python tools/train_ssd.py --params released ${all[@]+"${all[@]}"} --save-dir "$save_dir/train"
elif [ -z "$params" ]; then
    exec python benchmarks/table5.py --save-dir "$save_dir"
fi
[ -n "$params" ] && [ "$train$demo" = falsefalse ] || params="$save_dir/train/best.params"

for name in ${split//,/ }; do
    lists+=("$root/$(dirname "$name")/ImageSets/Main/$(basename "$name").txt")
done
model=ssd_256_etinynet1.0_voc graph="$save_dir/ssd.npz"
python tools/eval_ssd.py ${data[@]+"${data[@]}"} --params "$params" ${speed[@]+"${speed[@]}"} --save-dir "$save_dir/float"
printf '\nAs 8-bit integers\n'
python tools/quantize.py --model "$model" --params "$params" --scheme linear --photographs "${lists[@]}" \
    --save-dir "$save_dir/int8"
python tools/make_graph.py --model "$model" --params "$save_dir/int8/net.params" --out "$graph"
python tools/export_c.py --graph "$graph" --prefix ssd --out "$save_dir/firmware"
make -s -C "$save_dir/firmware" host
python tools/eval_ssd.py ${data[@]+"${data[@]}"} --graph "$graph" --program "$save_dir/firmware/build/host/ssd" \
    --save-dir "$save_dir/integers"
exec python benchmarks/table5.py ${data[@]+"${data[@]}"} --float "$save_dir/float" --integers "$save_dir/integers" \
    --save-dir "$save_dir"
