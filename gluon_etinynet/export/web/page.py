"""Graphs -> one HTML page: the exported C as WebAssembly, for browsers with SIMD and without, and what it needs."""

import base64
import json
import tempfile
from pathlib import Path

import jinja2

from ... import __version__
from ...data.images import LARGEST_BYTES, LARGEST_PIXELS
from ...files import InputError
from .. import c
from ..c.kernel_sets import KERNEL_SETS, WASM
from ..c.program import make, need

__all__ = ["MOST_NETWORKS", "emit"]

MOST_NETWORKS = 2
_HERE = Path(__file__).resolve().parent
_RUN_JS = Path(c.__file__).with_name("demo") / "wasm" / "run.js"
_PREFIX = "net"


def emit(graphs, labels, crop_ratio=0.875, digits=False):
    """Write a page for networks that see the same pictures.

    Parameters
    ----------
    graphs : list of Graph
        One or two, shown side by side; classifiers or detectors.
    labels : list of (list of str or None)
        For each, the names of its classes as a person reads them.
    crop_ratio : float
        As of `data.images.center_crop`; for classifiers.
    digits : bool
        The classes are scikit-learn's handwritten digits: the page has a pad to draw on.

    Returns
    -------
    str
        The same arguments, by the same compiler, give the same text.

    Raises
    ------
    InputError
        If clang, wasm-ld or make is not installed, there are more networks, or one cannot be exported.
    """
    need("make", "clang", "wasm-ld")
    if not 1 <= len(graphs) <= MOST_NETWORKS:
        raise InputError(f"{len(graphs)} networks; the page has room for one or two")
    content = {
        "networks": [_network(graph, names) for graph, names in zip(graphs, labels)], "cropRatio": crop_ratio,
        "digits": digits, "mostPixels": LARGEST_PIXELS, "mostBytes": LARGEST_BYTES}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), trim_blocks=True, lstrip_blocks=True,
                                     keep_trailing_newline=True, autoescape=True, undefined=jinja2.StrictUndefined)
    script = {name: (_HERE / f"{name}.js").read_text() for name in ("resize", "worker", "pad", "page")}
    return environment.get_template("page.html.j2").render(
        version=__version__, names=[graph.name for graph in graphs], digits=digits,
        detector=any(graph.detection for graph in graphs), style=(_HERE / "page.css").read_text(),
        worker=_RUN_JS.read_text() + script["resize"] + script["worker"],
        page=script["pad"] * digits + script["page"],
        content=json.dumps(content, sort_keys=True).replace("<", "\\u003c"))


def _network(graph, labels):
    """What the page is told of a network, ready for JSON."""
    channels, rows, columns = graph.image.shape
    if channels != 3 or rows != columns or graph.image.quant.zero_point != 0:
        raise InputError(f"{graph.name} takes {channels} x {rows} x {columns}; the page has squares of RGB")
    return {
        "name": graph.name, "bits": graph.weight_bits, "size": rows, "detector": graph.detection is not None,
        "labels": labels or [f"class {number}" for number in range(graph.classes)],
        "scale": graph.output.quant.scale, "sha256": graph.sha256(),
        "programs": {name: _program(graph, name) for name, kernels in KERNEL_SETS.items() if kernels.serves(WASM)}}


def _program(graph, kernels):
    """The demo of the exported C by these kernels, and what it takes."""
    with tempfile.TemporaryDirectory() as work:
        files = c.emit(graph, _PREFIX, kernels)
        folder = files.write(Path(work) / "c")
        make(folder, "wasm")
        program = (folder / "build" / "wasm" / f"{_PREFIX}.wasm").read_bytes()
    report = files.manifest
    return {"wasm": base64.b64encode(program).decode(), "arena": report["arena_bytes"]["stored"],
            "constants": report["flash_bytes"]["total"]}
