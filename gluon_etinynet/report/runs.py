"""What recipes measured: the measurements of every metrics.json below the folder of runs, held against the paper's."""

from ..files import InputError
from ..reading import is_folder, parsing, read_json
from . import paper

__all__ = ["HEADER", "collect", "judge", "read_measurements"]

HEADER = ["table", "row", "quantity", "unit", "paper", "measured", "verdict", "note", "from"]
OPTIONAL = {"note": str, "differs": str, "comparable": bool}


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
