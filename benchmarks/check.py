"""Hold what the recipes measured against what the paper reports, and our own results against their floors.

Usage: ``python benchmarks/check.py [--runs runs] [--all] [--out FILE.csv]``

Joins ``paper.csv`` and ``floors.csv`` with the measurements in every ``metrics.json`` below the folder of
runs and prints one table. Exit status 0 if nothing measured disagrees without an explanation, 1 if something does, 2 if
a file is damaged or measures what neither lists.
"""

from collections import Counter
from pathlib import Path

from gluon_etinynet import cli
from gluon_etinynet.files import write_csv
from gluon_etinynet.report import paper
from gluon_etinynet.report.runs import HEADER, collect, judge


def parse_args():
    parser = cli.Parser(description="Compare what the recipes measured with the paper.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR",
                        help="folder whose metrics.json files are read, at any depth (default: runs)")
    parser.add_argument("--all", action="store_true",
                        help="also list the numbers that are only cited and never measured")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the table as CSV too")
    return parser.parse_args()


def main():
    args = parse_args()
    entries = paper.load() + paper.load(paper.FLOORS_CSV)
    found = collect(args.runs, {entry.key for entry in entries})
    rows = [judge(entry, found) for entry in entries
            if args.all or entry.agreement != "cited" or entry.key in found]
    print(cli.table(HEADER, rows))
    verdicts = Counter("differs (explained)" if row[6].startswith("differs (") else row[6] for row in rows)
    print("\n" + ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items())))
    if args.out:
        write_csv(args.out, HEADER, rows)
    return 1 if any(row[6] == "differs" for row in rows) else 0


if __name__ == "__main__":
    cli.run(main)
