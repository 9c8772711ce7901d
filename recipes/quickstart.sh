#!/usr/bin/env bash
# From a fresh clone to a trained network:
#
#     bash recipes/quickstart.sh [--python 3.9] [--params FILE] [options of tools/train_digits.py]
#
# Prints Table 1 beside the paper's, trains EtinyNet on handwritten digits (real data, no download), quantises that network to
# 4 bits by ASQ and DoReFa (a small Table 3, Figures 3 and 4), and names what is on two photographs with the authors'
# released weights: from --params, the cache, or downloaded. Takes some minutes on 2 cores after the installation.
# Expected: above 97 % of the test digits.
extras=demo
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

released=() options=() model=etinynet1.0 save_dir=runs/quickstart
while [ $# -gt 0 ]; do
    case "$1" in
        --params) released=(--params "$(value "$@")"); shift 2 ;;
        --model) model=$(value "$@"); shift 2 ;;
        --save-dir) save_dir=$(value "$@"); shift 2 ;;
        *) options+=("$1"); shift ;;
    esac
done

python benchmarks/table1.py --save-dir "$save_dir/table1"

printf '\n'
python tools/train_digits.py --model "$model" --save-dir "$save_dir" ${options[@]+"${options[@]}"}

printf '\n'
python benchmarks/table3.py --digits --model "$model" --params "$save_dir/net.params" \
    --num-epochs 15 --save-dir "$save_dir/table3"

printf '\n'
python tools/plot_histograms.py --params "$save_dir/net.params" --save-dir "$save_dir/figures"

printf '\nTwo photographs that come with scikit-learn, seen by the released EtinyNet-1.0\n'
photographs=$(python -c 'import pathlib, sklearn.datasets; print(pathlib.Path(sklearn.datasets.__file__).parent / "images")')
python tools/classify.py ${released[@]+"${released[@]}"} "$photographs/china.jpg" "$photographs/flower.jpg" ||
    printf 'Left out: the released weights cannot be had here.\n'
