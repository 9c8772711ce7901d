#!/usr/bin/env bash
# From a fresh clone to a trained network:
#
#     bash recipes/quickstart.sh [--python 3.9] [options of tools/quickstart.py]
extras=demo
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/table1.py
python tools/quickstart.py "$@"
