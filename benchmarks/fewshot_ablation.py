"""What each step of few-shot quantisation brings: all of it, and without one of its steps at a time.

    python benchmarks/fewshot_ablation.py --photographs DIR... --val-dir VAL... [--small]

A loop over tools/quantize.py, ASQ and DoReFa side by side with the same photographs and the same number of steps. To
choose by what it shows, give photographs as VAL that are kept aside from DIR and from the sets that you report.
``--small`` takes 256 photographs, one part of each and 50 steps; flags of tools/quantize.py that are given here
(--weight-bits, --num-images, --seed, ...) hold for every row. Interrupted, it goes on where it was.
"""

import argparse
from pathlib import Path

from table3 import NAMES, run_tool

from gluon_etinynet import cli
from gluon_etinynet.files import write_csv, write_json

# Name of the row, and the flags that take one step away.
ROWS = {
    "all": [],
    "unbalanced": ["--no-balancing"],
    "undamped": ["--damping", 0],
    "lambda-fixed": ["--lambda-lr", 0],
    "few-steps": ["--steps", 400],
    "few-photographs": ["--num-images", 500],
}
SMALL = ["--num-images", 256, "--crops", 0, "--steps", 50]
SMALL_ROWS = {**ROWS, "few-steps": ["--steps", 10], "few-photographs": ["--num-images", 64]}


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), help="default: all of them")
    parser.add_argument("--schemes", nargs="+", default=list(NAMES), choices=list(NAMES), help="default: asq dorefa")
    parser.add_argument("--small", action="store_true", help="the small setting")
    parser.add_argument("--save-dir", default="runs/fewshot_ablation", help="default: %(default)s")
    return parser.parse_known_args()


def main():
    args, others = parse_args()
    save_dir, flags = Path(args.save_dir), SMALL_ROWS if args.small else ROWS
    header, rows, results = ["step left out", "scheme", "pictures", "float", "top-1", "KL to float"], [], {}
    for row in args.rows:
        for scheme in args.schemes:
            if scheme == "dorefa" and row == "lambda-fixed":  # it has none
                continue
            folder = save_dir / f"{row}-{scheme}"
            # The later of two flags counts: what a row leaves out stands last.
            result = run_tool(folder, "--scheme", scheme, *(SMALL if args.small else []), *others, *flags[row])
            results[folder.name] = result
            rows += [["-" if row == "all" else row, NAMES[scheme], name, f"{result['float'][name]['top1']:.2f}",
                      f"{found['top1']:.2f}", f"{found['divergence']:.3f}"]
                     for name, found in result["quantised"].items()]
    print(f"\n{cli.table(header, rows)}")
    write_csv(save_dir / "ablation.csv", header, rows)
    write_json(save_dir / "metrics.json", {"results": results})
    print(f"\nwritten: {save_dir}/ablation.csv, metrics.json")


if __name__ == "__main__":
    cli.run(main)
