#!/usr/bin/env bash
# Table 1: configurations, parameters, MAdds and feature-map memory of EtinyNet, read off the built networks.
#
#     bash recipes/table1.sh [--per-layer] [--model NAME ...] [--input-size 256] [--save-dir runs/table1]
#
# Takes seconds. Expected: 976.36 K / 116.9 M / 245 KB for 1.0, 681.304 K / 75.44 M / 220.5 KB for 0.75.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

python benchmarks/table1.py "$@"
