#!/usr/bin/env bash
# Figure 4: ASQ's re-scaled weights for lambda 1 to 5, J and E against lambda. Some seconds.
#
#     bash recipes/fig4.sh [--params FILE] [--layer NAME]... [--bits N] [--list-layers]
#
# Without --params, of the authors' released EtinyNet-1.0, which is downloaded once.
# Expected in layer3.2: E = 2.69, 2.45, 2.17, 1.93, 1.74, falling as in the paper; J = 222 to 224, where the
# paper's falls. Result: runs/fig4/.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/histograms.py --figure 4 --save-dir runs/fig4 "$@"
