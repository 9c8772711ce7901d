"""Table 3: networks with weights of a few bits, ASQ beside DoReFa: a loop over tools/quantize.py.

Every scheme starts from the same float checkpoint and has the same budget. All other flags are those of
tools/quantize.py: ``--photographs DIR`` (from unlabelled photographs), or training with labels, as the paper does
(40 epochs, learning rate 0.01, cosine), by ``--rec-train``, ``--data-dir``, ``--cifar`` or ``--digits``.

Writes metrics.json, table3.csv, lambdas.csv and, for each scheme and seed, a folder with net.params and result.json
to --save-dir. Interrupted, it goes on where it was; what is finished is not repeated.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.quantities import SEED
from gluon_etinynet.reading import read_json
from gluon_etinynet.report.paper import comparison, value

TOOL = Path(__file__).resolve().parent.parent / "tools" / "quantize.py"
ROWS = {"etinynet1.0": "EtinyNet-1.0", "etinynet0.75": "EtinyNet-0.75"}
NAMES = {"asq": "ASQ", "dorefa": "DoReFa"}
IMAGENET_VALIDATION = 50000


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("--model", default="etinynet1.0", choices=list(ROWS), help="default: etinynet1.0")
    add("--schemes", nargs="+", default=list(NAMES), choices=list(NAMES), help="default: asq dorefa")
    add("--weight-bits", type=int, default=4, choices=range(2, 9), help="default: 4")
    add("--per-channel", action="store_true", help="a lambda for each output channel (the paper: each layer)")
    add("--seeds", type=SEED, nargs="+", default=[0], help="default: 0")
    add("--save-dir", default="runs/table3", help="default: runs/table3")
    return parser.parse_known_args()


def main():
    args, others = parse_args()
    results = []
    for seed in args.seeds:  # outside, so that the schemes can be compared as soon as one seed is through
        for scheme in args.schemes:
            results.append(one_run(args, others, scheme, seed))
    report(args, results)


def one_run(args, others, scheme, seed):
    """Run tools/quantize.py, which goes on where it was; return its result."""
    form = "-per-channel" * args.per_channel
    folder = Path(args.save_dir) / f"{scheme}-{args.weight_bits}bit{form}-seed{seed}"
    return run_tool(folder, "--model", args.model, "--scheme", scheme, "--weight-bits", args.weight_bits,
                    "--seed", seed, *["--per-channel"] * args.per_channel, *others)


def run_tool(folder, *arguments):
    """Run tools/quantize.py into a folder; return its result."""
    print(folder.name, flush=True)
    done = subprocess.run([str(word) for word in (sys.executable, TOOL, *arguments, "--save-dir", folder)])
    if done.returncode:  # the tool has said why
        sys.exit(done.returncode)
    return read_json(folder / "result.json", "delete it and begin again")


def report(args, results):
    """Print the table and write the files."""
    header = ["scheme", "network", "bits", "pictures", "seeds", "float", "quantised", "spread", "drop", "KL to float",
              "paper: float", "quantised", "drop"]
    rows, measurements = [], []
    for scheme in args.schemes:
        own = [result for result in results if result["scheme"] == scheme]
        for number, name in enumerate(own[0]["quantised"]):
            before = statistics.mean(result["float"][name]["top1"] for result in own)
            tops = [result["quantised"][name]["top1"] for result in own]
            top1 = statistics.mean(tops)
            apart = statistics.mean(result["quantised"][name]["divergence"] for result in own)
            rows.append([NAMES[scheme], ROWS[args.model], args.weight_bits, name, len(own), f"{before:.2f}",
                         f"{top1:.2f}", f"{statistics.stdev(tops):.2f}" if len(own) > 1 else "-",
                         f"{before - top1:.2f}", f"{apart:.3f}", *papers(args, scheme)])
            if number == 0 and is_papers_form(args):
                measurements += measured(args, scheme, name, own)
    title = f"Top-1 in per cent, weights of {args.weight_bits} bits in every layer" + (
        ", a lambda for each channel" if args.per_channel else "")
    print(f"\n{title}\n\n{cli.table(header, rows)}")
    packed = next((result["sizes"] for result in results if result["sizes"]), None)
    if packed:
        print(f"\nsize: weights packed {packed['packed_bytes'] / 1e6:.3f} MB, with a multiplier, an "
              f"offset and a bias for each channel {packed['total_bytes'] / 1e6:.3f} MB (the paper counts "
              f"{value('2', ROWS[args.model] + ' (4-bit)', 'size_mb')} MB at 4 bits)")
    if measurements:
        print(f"\nBeside the paper, on ImageNet\n\n{comparison(measurements)}")
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "table3.csv", header, rows)
    write_csv(save_dir / "lambdas.csv", ["scheme", "seed", "layer", "lambda", "spread", "J", "E"],
              [[result["scheme"], result["seed"], *row] for result in results for row in result["layers"]])
    write_json(save_dir / "metrics.json", {"measurements": measurements, "results": results})
    print(f"\nwritten: {save_dir}/metrics.json, table3.csv, lambdas.csv; net.params in each run's folder")


def is_papers_form(args):
    """Whether the paper has such a network: 4 bits, one lambda for a layer."""
    return args.weight_bits == 4 and not args.per_channel


def papers(args, scheme):
    """The paper's float and quantised top-1 and the drop between them, where it has them."""
    if not is_papers_form(args):
        return ["-", "-", "-"]
    row = ROWS[args.model]
    before, after = value("2", row, "top1"), value("3", f"{row} {NAMES[scheme]}", "top1")
    return [before, after, f"{before - after:.1f}"]


def measured(args, scheme, name, own):
    """The measurements that stand beside the paper's, of one scheme on one validation set."""
    first, settings = own[0]["quantised"][name], own[0]["settings"]
    few_shot = "images" in settings
    way = (f"{settings['images'][0]} unlabelled photographs" if few_shot
           else f"{settings['epochs']} epochs on {settings['data']}")
    before = statistics.mean(result["float"][name]["top1"] for result in own)
    note = f"{way}; {first['samples']} pictures of {name}, float {before:.1f}; seeds: {len(own)}"
    keys = [("3", f"{ROWS[args.model]} {NAMES[scheme]}", "top1")]
    if scheme == "asq":
        keys += [("2", f"{ROWS[args.model]} (4-bit)", quantity) for quantity in ("top1", "top5")]
    return [{"table": table, "row": row, "quantity": quantity, "note": note,
             "value": statistics.mean(result["quantised"][name][quantity] for result in own),
             "comparable": not few_shot and first["samples"] == IMAGENET_VALIDATION}
            for table, row, quantity in keys]


if __name__ == "__main__":
    cli.run(main)
