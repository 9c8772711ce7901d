"""Table 1: the configurations of EtinyNet and what they cost, read off the built networks.

Prints each number beside the paper's, then the costs of all networks at one input size.
"""

import argparse
from itertools import groupby
from pathlib import Path

from networks import COMPARABLE, build

from gluon_etinynet import cli
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.networks.complexity import measure
from gluon_etinynet.networks.layers import IMAGE, layers_of
from gluon_etinynet.quantities import SIDE
from gluon_etinynet.report.paper import comparison

PAPER_SIZE = 224
NAMES = {"EtinyNet-1.0": "etinynet1.0", "EtinyNet-0.75": "etinynet0.75"}


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=list(NAMES.values()) + list(COMPARABLE),
                        help="networks to count: names of get_model, or " + ", ".join(COMPARABLE))
    parser.add_argument("--input-size", type=SIDE, default=PAPER_SIZE,
                        help="side of the input in pixels (default: 224)")
    parser.add_argument("--per-layer", action="store_true", help="print and save every layer of each network")
    parser.add_argument("--save-dir", default="runs/table1", help="folder of the results (default: runs/table1)")
    return parser.parse_args()


def main():
    args = parse_args()
    save_dir = Path(args.save_dir)
    counts = {name: measure(build(name), args.input_size) for name in args.model}

    measurements = [m for row, name in NAMES.items() for m in table1_measurements(row, build(name))]
    print(f"Table 1, at {PAPER_SIZE} x {PAPER_SIZE}\n")
    print(comparison(measurements))
    write_json(save_dir / "metrics.json", {"measurements": measurements})

    print(f"\nCosts at {args.input_size} x {args.input_size} (feature maps at 8 bits)\n")
    header = ["network", "params", "MAdds", "without BN", "32 bits, MB", "8 bits, KB", "4 bits, KB",
              "feature maps, KiB"]
    rows = [[name, f"{c.params:,}", f"{c.madds:,}", f"{c.madds_without_norm:,}", f"{c.bytes_at(32) / 1e6:.2f}",
             f"{c.bytes_at(8) / 1e3:.1f}", f"{c.bytes_at(4) / 1e3:.1f}", f"{c.feature_map_bytes / 1024:.1f}"]
            for name, c in counts.items()]
    print(cli.table(header, rows))
    write_csv(save_dir / "costs.csv", header, rows)

    if args.per_layer:
        for name, c in counts.items():
            header, rows = per_layer(c)
            print(f"\n{name}, layer by layer\n\n{cli.table(header, rows)}")
            write_csv(save_dir / f"layers-{name}.csv", header, rows)
    print(f"\nwritten: {save_dir}/metrics.json, costs.csv" + (", layers-*.csv" if args.per_layer else ""))


def table1_measurements(row, net):
    """Every number and every configuration of one column of Table 1, in paper.csv's words and units."""
    counts = measure(net, PAPER_SIZE)
    sizes = {layer.name: layer.out_shape[-1] for layer in counts.layers}
    stem, = layers_of(net.features[0], "features.0", IMAGE)
    conv, pool = stem.conv._kwargs, stem.pool._kwargs

    found = {
        "stem": f"conv {by(conv['kernel'])}, {conv['num_filter']}, stride {conv['stride'][0]}",
        "pool": f"{pool['pool_type']} {by(pool['kernel'])}, stride {pool['stride'][0]}",
        "stem_size": sizes["features.0.conv"],
        "pool_size": sizes["features.0.pool"],
    }
    for number, stage in enumerate(list(net.features)[1:], start=1):
        found[f"stage{number}"] = describe(stage)
        found[f"stage{number}_size"] = last_size = sizes[f"features.{number}.{len(stage) - 1}.dw2"]
    found.update({
        "head": f"global average {last_size}x{last_size}, FC-{net.output._kwargs['num_filter']}",
        "head_size": sizes["pool"],
        "madds": counts.madds / 1e6,
        "params": counts.params / 1e3,
    })
    measurements = [{"table": "1", "row": row, "quantity": quantity, "value": value}
                    for quantity, value in found.items()]

    measurements.append({"table": "text", "row": row, "quantity": "feature_map_kb",
                         "value": counts.feature_map_bytes / 1024})
    if row == "EtinyNet-1.0":
        measurements += [
            {"table": "text", "row": row, "quantity": "params", "value": counts.params / 1e3,
             "differs": "the text says 987K where Table 1 says 976K"},
            {"table": "text", "row": row, "quantity": "params_m", "value": counts.params / 1e6}]
    return measurements


def by(extent):
    return "x".join(str(side) for side in extent)


def describe(stage):
    """A stage in Table 1's words: `LB 32-128-128, 128-128-128 x3`."""
    widths = ["-".join(str(layer.conv._kwargs["num_filter"]) for layer in block.layers("", "")) for block in stage]
    counted = [(width, len(list(same))) for width, same in groupby(widths)]
    return f"{type(stage[0]).__name__} " + ", ".join(w + (f" x{n}" if n > 1 else "") for w, n in counted)


def per_layer(counts):
    header = ["layer", "kind", "output", "params", "MACs", "BN outputs"]
    rows = [[layer.name, layer.kind, by(layer.out_shape), layer.params, layer.macs, layer.norm_elements]
            for layer in counts.layers]
    return header, rows + [["total", "", "", counts.params, counts.madds_without_norm,
                            counts.madds - counts.madds_without_norm]]


if __name__ == "__main__":
    cli.run(main)
