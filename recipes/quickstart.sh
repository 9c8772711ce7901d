#!/usr/bin/env bash
# From a fresh clone to a trained network in 4 bits, as C:
#
#     bash recipes/quickstart.sh [--python 3.9] [--params FILE] [options of tools/train_digits.py]
#
# Prints Table 1 beside the paper's, trains EtinyNet on handwritten digits (real data, no download), quantises it to 4
# bits by ASQ and DoReFa (a small Table 3), turns it into integers, C and ROM files, runs the C on this computer (gcc or
# clang, and make; left out without them) and holds it against the interpreter on every test digit, simulates the FPGA
# core on ten of them (Verilator; left out without it), draws Figures 3 and 4, and names what is on two photographs with
# the authors' released weights: from --params, the cache, or downloaded. Ends with two pages: the report, and a demo in
# which digits are drawn (clang and wasm-ld; left out without them).
# Takes some minutes on 2 cores after the installation. Expected: 97 to 99 % of the test digits in float, 95 to 98 % in 4
# bits; C and interpreter equal on 360 of 360, core and interpreter on 10 of 10. Result: runs/quickstart/.
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

stage() { printf '\n== %s\n\n' "$1"; }

stage "What the networks cost"
python benchmarks/table1.py --save-dir "$save_dir/table1"

stage "Training on handwritten digits"
python tools/train_digits.py --model "$model" --save-dir "$save_dir" ${options[@]+"${options[@]}"}

stage "Quantising to 4 bits"
quantised="$save_dir/table3/asq-4bit-seed0/net.params"
quantise=(--digits --model "$model" --params "$save_dir/net.params" --num-epochs 5)
python tools/quantize.py "${quantise[@]}" --save-dir "$(dirname "$quantised")"
python benchmarks/table3.py "${quantise[@]}" --save-dir "$save_dir/table3" # with DoReFa beside it

stage "The 4-bit network in integers, as C, as ROM files and as an FPGA core"
python tools/make_graph.py --model "$model" --params "$quantised" --calib-digits --num-images 500 \
    --input-size 64 --out "$save_dir/digits.npz"
python tools/export_c.py --graph "$save_dir/digits.npz" --prefix digits --out "$save_dir/firmware"
python tools/export_rom.py --graph "$save_dir/digits.npz" --out "$save_dir/roms"
program=()
if type -P make cc >/dev/null; then
    make -s -C "$save_dir/firmware" host
    program=(--program "$save_dir/firmware/build/host/digits")
else
    printf 'Left out: compiling and running the C, for want of make or cc (apt-get install -y gcc make).\n'
fi
core=()
if type -P verilator make c++ >/dev/null; then
    python tools/export_fpga.py --graph "$save_dir/digits.npz" --word-channels 32 --outputs 4 --out "$save_dir/core"
    core=(--core "$save_dir/core")
else
    printf 'Left out: simulating the FPGA core, for want of verilator, make or c++ (apt-get install -y verilator).\n'
fi
python tools/eval_graph.py --graph "$save_dir/digits.npz" --digits --model "$model" --params "$quantised" \
    ${program[@]+"${program[@]}"} ${core[@]+"${core[@]}"} --save-dir "$save_dir/eval_graph"

stage "Figures 3 and 4 of the float network"
python benchmarks/histograms.py --params "$save_dir/net.params" --save-dir "$save_dir/figures"

stage "Two photographs that come with scikit-learn, seen by the released EtinyNet-1.0"
photographs=$(python -c 'import pathlib, sklearn.datasets; print(pathlib.Path(sklearn.datasets.__file__).parent / "images")')
python tools/classify.py ${released[@]+"${released[@]}"} "$photographs/china.jpg" "$photographs/flower.jpg" || {
    [ ${#released[@]} -eq 0 ] || exit 2
    printf 'Left out: the released weights cannot be had here.\n'
}

stage "Pages to look at"
pages=("$save_dir/report.html")
if type -P make clang wasm-ld >/dev/null; then
    python tools/export_web.py --graph "$save_dir/digits.npz" --digits --out "$save_dir"
    pages+=("$save_dir/demo.html")
else
    printf 'Left out: the demo, for want of make, clang or wasm-ld (apt-get install -y make clang lld).\n'
fi
python tools/report.py --runs "$save_dir" --out "$save_dir/report.html"
printf '\nOpen in a browser:\n'
printf '    %s\n' "${pages[@]}"
