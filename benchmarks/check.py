"""Hold what the recipes measured against what the paper reports, and our own results against their floors.

Usage: ``python benchmarks/check.py [--runs runs] [--all] [--out FILE.csv]``

Joins ``paper.csv`` and ``floors.csv`` with the measurements in every ``metrics.json`` below the folder of
runs and prints one table. Exit status 0 if nothing measured disagrees without an explanation, 1 if something does, 2 if
a file is damaged or measures what neither lists.
"""

from collections import Counter
from pathlib import Path

import paper

from gluon_etinynet import cli
from gluon_etinynet.files import InputError, write_csv
from gluon_etinynet.reading import is_folder, parsing, read_json

HEADER = ["table", "row", "quantity", "unit", "paper", "measured", "verdict", "note", "from"]
OPTIONAL = {"note": str, "differs": str, "comparable": bool}


def parse_args():
    parser = cli.Parser(description="Compare what the recipes measured with the paper.")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR",
                        help="folder whose metrics.json files are read, at any depth (default: runs)")
    parser.add_argument("--all", action="store_true",
                        help="also list the numbers that are only cited and never measured")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the table as CSV too")
    return parser.parse_args()


def read_measurements(path, known):
    """Read and check the measurements of one `metrics.json`; a file without any gives none.

    Returns
    -------
    dict
        From key to measurement.
    """
    remedy = "delete it or run its recipe again"
    metrics = read_json(path, remedy)
    with parsing(path, remedy, "is damaged"):
        measurements = metrics.get("measurements", [])
        keyed = {(m["table"], m["row"], m["quantity"]): m for m in measurements}
        numbers = [m["value"] for m in measurements]
    for key, measurement in keyed.items():
        name = " / ".join(map(str, key))
        if key not in known:
            raise InputError(f"{path} measures {name}, which is not in paper.csv; correct the name there")
        if any(not isinstance(measurement.get(k, kind()), kind) for k, kind in OPTIONAL.items()):
            raise InputError(f"{path}: {name}: note and differs must be text, comparable true or false")
    if len(keyed) < len(measurements):
        raise InputError(f"{path} measures the same number twice; keep one of them")
    if any(isinstance(n, bool) or not isinstance(n, (int, float, str)) for n in numbers):
        raise InputError(f"{path}: every measured value must be a number or text; run its recipe again")
    return keyed


def collect(runs, known):
    """Find the newest measurement of every key.

    Returns
    -------
    dict
        From key to a list of (measurement, path), the newest file first.
    """
    if not is_folder(runs):
        raise InputError(f"no folder {runs}; run a recipe first (recipes/quickstart.sh), or name another "
                         "with --runs")
    files = sorted(runs.rglob("metrics.json"), key=lambda path: (path.stat().st_mtime_ns, path), reverse=True)
    found = {}
    for path in files:
        for key, measurement in read_measurements(path, known).items():
            found.setdefault(key, []).append((measurement, path))
    return found


def judge(entry, found):
    """The table's row for one number of the paper."""
    row = [entry.table, entry.row, entry.quantity, entry.unit, paper.shown(entry.value)]
    if entry.key not in found:
        return row + ["", "cited" if entry.agreement == "cited" else "not run here", "", ""]
    (measurement, path), *older = found[entry.key]
    try:
        verdict = paper.verdict(entry, measurement)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    source = str(path) + "".join(f", newer than {other}" for _, other in older)
    return row + [paper.shown(measurement["value"]), verdict, measurement.get("note", ""), source]


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
