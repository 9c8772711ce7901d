#!/usr/bin/env bash
# Table 1: configurations, parameters, MAdds and feature-map memory of EtinyNet, read off the built networks.
# Run time: seconds. Expected: 976.36 K / 116.9 M / 245 KB and 681.304 K / 75.44 M / 220.5 KB.
# Flags (see --help): --per-layer  --model NAME ...  --input-size 256
source "$(dirname "$0")/env.sh"
python benchmarks/table1.py "$@"
