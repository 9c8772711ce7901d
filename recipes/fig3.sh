#!/usr/bin/env bash
# Figure 3: weights of two pointwise layers before and after DoReFa's 4 bits. Some seconds.
#
#     bash recipes/fig3.sh [--params FILE] [--layer NAME]... [--bits N] [--list-layers]
#
# Without --params, of the authors' released EtinyNet-1.0, which is downloaded once.
# Expected in layer3.2: std 0.056 (paper 0.054), 60 % zeros and five levels in use on a grid with a level
# at zero (paper: nearly 60 %, five); equation 5, which has none: 11 levels. Result: runs/fig3/.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/histograms.py --figure 3 --save-dir runs/fig3 "$@"
