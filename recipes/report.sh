#!/usr/bin/env bash
# One page of every number of the paper and ours beside it, with figures and what was not run:
#
#     bash recipes/report.sh [options of tools/report.py, such as --photographs PHOTOGRAPHS]
#
# Counts Tables 1 and 2 and draws Figures 3 and 4 of the released network first, in a minute; whatever else other recipes
# have left in runs/ is shown too. Result: report.html.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/table1.py --save-dir runs/report/table1
python benchmarks/table2.py --save-dir runs/report/table2
python benchmarks/histograms.py --save-dir runs/report/figures ||
    printf 'Left out: Figures 3 and 4, for the reason above.\n'
python tools/report.py "$@"
