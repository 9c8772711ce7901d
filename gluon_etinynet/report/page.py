"""The report: one HTML page of every number of the paper and ours beside it, with the figures."""

import base64
import csv
import zipfile
from collections import Counter, namedtuple
from pathlib import Path

import cv2
import jinja2
import numpy as np

from .. import __version__
from ..data.images import preprocess, read_image, resize_square
from ..detection.drawing import draw_detections
from ..integer import Graph, pixels_to_input, run
from ..integer.detect import PIXEL, SCORE_BITS
from ..reading import is_folder, read_text
from . import measured as recorded
from . import paper
from .figures import FIGURES, Evidence
from .runs import collect

__all__ = ["Seen", "emit", "evidence_of", "graphs_below", "look"]

_HERE = Path(__file__).resolve().parent
TITLES = {"text": "What the text says"}
KINDS = {"agrees": "agrees", "differs": "differs", "other conditions": "other", "not run here": "missing",
         "cited": "cited"}  # a verdict -> its class in the style
# Recorded on other pictures than the paper's, or at a clock that is assumed.
OTHER_CONDITIONS = ("top1", "top5", "map", "top1_change", "latency_ms", "fps")
SERIES = ("fig3.csv", "fig4.csv", "fig4_histograms.csv")
THUMBNAIL, LEAST_SCORE = 300, 0.3

Seen = namedtuple("Seen", "picture caption network")
Seen.__doc__ = "A picture as JPEG in base64, what a network made of it, and the network's name."
Row = namedtuple("Row", "name quantity unit paper measured verdict kind remark command")


def evidence_of(runs):
    """Gather what the page shows.

    Parameters
    ----------
    runs : Path
        A folder of runs; it need not be there.

    Returns
    -------
    evidence : Evidence
    found : dict from key to list of (measurement, Path)
        As of `collect`.

    Raises
    ------
    InputError
        If a file is damaged, or the repository's own are missing.
    """
    entries = paper.load()
    known = {entry.key for entry in entries + paper.load(paper.FLOORS_CSV)}
    there = is_folder(runs)
    tables = {}
    for name in SERIES if there else ():
        newest = max(runs.rglob(name), key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest:
            tables[name] = list(csv.DictReader(read_text(newest).splitlines()))
    evidence = Evidence({entry.key: entry for entry in entries}, recorded.load(), recorded.load_peers(), tables,
                        graphs_below(runs) if there else [])
    return evidence, collect(runs, known) if there else {}


def graphs_below(folder):
    """The integer networks in a folder and those within it, the newest first; a damaged one is an InputError."""
    paths = sorted(folder.rglob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [Graph.load(path) for path in paths if zipfile.is_zipfile(path) and "graph.json.npy" in
            zipfile.ZipFile(path).namelist()]


def look(graph, names, paths):
    """What an integer network makes of photographs.

    Parameters
    ----------
    graph : Graph
    names : list of str or None
        Of its classes.
    paths : iterable of Path

    Returns
    -------
    list of Seen

    Raises
    ------
    InputError
        Naming a file that is no picture.
    """
    names, size, seen = names or [f"class {n}" for n in range(graph.classes)], graph.image.shape[1], []
    for path in paths:
        image = read_image(path)
        if graph.detection is None:
            logits = run(graph, preprocess(image, size)[None])[0] * graph.output.quant.scale
            shares = np.exp(logits - logits.max())
            best = int(logits.argmax())
            caption = f"{names[best]}, {100 * shares[best] / shares.sum():.0f} %"
        else:
            (found,) = run(graph, pixels_to_input(resize_square(image, size))[None])
            across = np.array(image.shape[1::-1] * 2) / (size * PIXEL)
            found = [{"class": names[one["class"]], "score": float(one["score"]) / (1 << SCORE_BITS),
                      "box": (one["box"] * across).tolist()} for one in found]
            found = [one for one in found if one["score"] >= LEAST_SCORE]
            image = draw_detections(image, found, names)
            counts = [f"{count} x {name}" if count > 1 else name
                      for name, count in Counter(one["class"] for one in found).items()]
            caption = ", ".join(counts) or "nothing found"
        seen.append(Seen(_thumbnail(image), caption, graph.name))
    return seen


def _thumbnail(image):
    factor = min(1, THUMBNAIL / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]).decode()


# ---- Tables ----

def rows_of(evidence, found):
    """Every number of the paper with ours beside it: what runs have measured before what is recorded."""
    own = {}
    for row in evidence.measured:
        for table in (row["section"], "text"):
            key = table, row["row"], row["quantity"]
            if key in evidence.papers:
                own.setdefault(key, row)
                break
    return [_row(entry, found.get(entry.key), own.get(entry.key)) for entry in evidence.papers.values()]


def _row(entry, found, own):
    words = recorded.NAMES.get(entry.quantity, entry.quantity.replace("_", " "))
    what = entry.row, words, entry.unit, paper.shown(entry.value)
    command = f"bash {entry.recipe}" if entry.recipe else ""
    if found:
        measurement, path = found[0]
    elif own:
        numeric = not isinstance(entry.value, str)
        measurement = {"value": float(own["value"]) if numeric else own["value"], "note": own["on"],
                       "comparable": entry.quantity not in OTHER_CONDITIONS}
        command = own["command"] or command
    else:
        verdict = "cited" if entry.agreement == "cited" else "not run here"
        return Row(*what, "", verdict, KINDS[verdict], "", command)
    verdict, _, reason = paper.verdict(entry, measurement).partition(" (explained: ")
    remark = "; ".join(filter(None, [measurement.get("note", ""), reason[:-1]]))
    return Row(*what, paper.shown(measurement["value"]), verdict, KINDS[verdict], remark, command)


def _tables(evidence, found):
    """(heading, rows that are judged, rows that are only cited) of each table of the paper."""
    rows = dict(zip(evidence.papers, rows_of(evidence, found)))
    for table in dict.fromkeys(key[0] for key in rows):
        own = [row for key, row in rows.items() if key[0] == table]
        heading = TITLES.get(table) or recorded.SECTIONS.get(table, (f"Figure {table[3:]}",))[0]
        yield heading, [row for row in own if row.kind != "cited"], [row for row in own if row.kind == "cited"]


def _recorded(evidence):
    """(heading, remark, [(command, header, cells)]) of each section of measured.csv."""
    for section, (heading, remark) in recorded.SECTIONS.items():
        rows = [row for row in evidence.measured if row["section"] == section]
        yield heading, remark, [
            (command, *recorded.columns([row for row in rows if row["command"] == command], section, evidence.papers))
            for command in dict.fromkeys(row["command"] for row in rows)]


def _headlines(evidence):
    for words, theirs, (section, name, on, quantity) in recorded.HEADLINES:
        own = recorded.find(evidence.measured, section, name, on, quantity)
        yield words, paper.shown(evidence.papers[theirs].value) if theirs else "", own["value"], own["command"]


def emit(evidence, found, seen=()):
    """Write the page.

    Parameters
    ----------
    evidence, found
        As of `evidence_of`.
    seen : sequence of Seen
        Photographs for the contact sheets.

    Returns
    -------
    str
    """
    tables = list(_tables(evidence, found))
    judged = [row for _, rows, _ in tables for row in rows]
    figures = [(figure, figure.draw(evidence)) for figure in FIGURES]
    missing = {}
    for row in judged:
        if row.kind == "missing":
            missing.setdefault(row.command, []).append(f"{row.name}: {row.quantity}")
    for figure, drawn in figures:
        if drawn is None:
            missing.setdefault(figure.command, []).append(figure.heading)
    sheets = {}
    for one in seen:
        sheets.setdefault(one.network, []).append(one)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), trim_blocks=True, lstrip_blocks=True,
                                     keep_trailing_newline=True, autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.get_template("report.html.j2").render(
        version=__version__, style=(_HERE / "report.css").read_text(), headlines=list(_headlines(evidence)),
        tables=tables, verdicts=Counter(row.verdict for row in judged), figures=figures, sheets=sheets,
        recorded=list(_recorded(evidence)), missing=missing, kinds=KINDS)
