"""Driving an exported core's testbench: pictures in, logits, cycles and the maps of every layer out."""

import subprocess
from pathlib import Path
from typing import Dict, List, NamedTuple

import numpy as np

from ...files import InputError, write_text
from .words import ceil_div

__all__ = ["SIMULATORS", "Simulation", "build", "simulate", "traces", "pixel_lines"]

SIMULATORS = ("icarus", "verilator")
PIXELS = "pixels.hex"


class Simulation(NamedTuple):
    """What a run said.

    Attributes
    ----------
    logits : array of int32, shape (N, classes)
    top : list of (class, logit)
        Of the last picture, the largest first.
    cycles : list of int
        Of each picture, from its first pixel to its last logit.
    passes : list of list of int
        Of each picture, the cycle in which each pass began.
    events : list of str
        `frame` for each picture that was cut short; `rom` if a ROM does not hold its words; `limit` if the run did not
        end.
    lines : list of list of str
        Of each picture, the trace, if it was asked for.
    unfinished : list of str
        The trace of what came after the last picture.
    """
    logits: np.ndarray
    top: List
    cycles: List[int]
    passes: List[List[int]]
    events: List[str]
    lines: List[List[str]]
    unfinished: List[str]


def pixel_lines(image, first=True):
    """A picture, array of int8 (3, rows, columns), as lines of the testbench; `first` marks its start."""
    pixels = np.moveaxis(np.asarray(image, np.int8).view(np.uint8) ^ 128, 0, -1).reshape(-1, 3).astype(np.int64)
    words = pixels[:, 0] | pixels[:, 1] << 8 | pixels[:, 2] << 16
    words[0] |= int(first) << 24
    return [f"{word:07x}\n" for word in words.tolist()]


def build(folder, simulator):
    """Compile an exported core with its testbench: ``make icarus`` or ``make verilator``.

    Raises
    ------
    InputError
        If the simulator is not installed or refuses the sources, with the first line that it says of an error.
    """
    done = subprocess.run(["make", "-s", "-C", str(folder), f"build/{simulator}"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if "rror" in line] or [f"exit status {done.returncode}"]
        raise InputError(f"{simulator} does not compile {folder}: {said[0]}")


def simulate(folder, images, simulator="verilator", trace=False, stalls=0, seed=1, reset=None, pictures=None,
             limit=None):
    """Run the core.

    Parameters
    ----------
    folder : str or Path
        As `tools/export_fpga.py` writes it. `build` is called.
    images : array of int8, shape (N, 3, rows, columns), or list of str
        Or what is offered pixel by pixel, as lines that `pixel_lines` makes.
    simulator : {"icarus", "verilator"}
    trace : bool
        Write down the words of every layer.
    stalls : int
        Offer a pixel, and take a logit, in one of `stalls` + 1 cycles, at random.
    seed : int
        Of these.
    reset : int, optional
        Reset the core in this cycle.
    pictures : int, optional
        End after so many (default: N).
    limit : int, optional
        End after so many cycles in any case.

    Returns
    -------
    Simulation

    Raises
    ------
    InputError
        As `build`; if the simulator dies, or says what it should not.
    """
    folder = Path(folder)
    build(folder, simulator)
    lines = images if isinstance(images, list) else [line for image in images for line in pixel_lines(image)]
    pictures = pictures or sum(line[0] == "1" for line in lines)
    write_text(folder / PIXELS, "".join(lines))
    arguments = [f"+pictures={pictures}", f"+stalls={stalls}", f"+seed={seed}", f"+reset={reset or -1}"]
    arguments += ["+trace"] * trace + [f"+limit={limit}"] * (limit is not None)
    command = ["vvp", "-n", "build/icarus"] if simulator == "icarus" else ["build/verilator"]
    done = subprocess.run([*command, *arguments], cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)
    if done.returncode:
        raise InputError(f"{simulator} in {folder} ended with status {done.returncode}: "
                         f"{(done.stdout.splitlines() or ['it said nothing'])[-1]}")
    return _parse(done.stdout.splitlines(), f"{simulator} in {folder}")


def _parse(output, label):
    logits, top, cycles, passes, events, lines, complete = [], [], [], [], [], [], []
    for line in output:
        kind, *words = line.split()
        if kind == "c":
            if words[0] == "0":
                logits, passes, lines = logits + [[]], passes + [[]], lines + [[]]
            passes[-1].append(int(words[1]))
        elif kind == "l":
            logits[-1].append(int(words[1]))
        elif kind == "f":
            cycles.append(int(words[0]))
            complete.append(len(logits) - 1)
        elif kind == "t":
            top.append((int(words[1]), int(words[2])))
        elif kind == "e":
            events.append(words[0])
        elif kind in "dmgy":
            lines[-1].append(line)
        elif kind not in "-/" and "$readmem" not in line:  # the core says itself what is missing
            raise InputError(f"{label} says: {line}")
    unfinished = lines[-1] if lines and len(logits) - 1 not in complete else []
    return Simulation(np.array([logits[i] for i in complete], np.int32), top, cycles, [passes[i] for i in complete],
                      events, [lines[i] for i in complete], unfinished)


def traces(graph, word_channels, lines):
    """The maps of every layer of one picture, out of the trace.

    Parameters
    ----------
    graph : Graph
    word_channels : int
        V.
    lines : list of str
        Of `Simulation.lines`.

    Returns
    -------
    dict from str to array of int8, shape (1, channels, rows, columns)
        As `integer.trace` returns them, without the image and the logits.

    Raises
    ------
    InputError
        If a layer has more or fewer words than it should.
    """
    words: Dict = {}
    for line in lines:
        kind, number, *values = line.split()
        words.setdefault((kind, int(number)), []).append(values[-1])
    maps = {}
    for name, key in _places(graph):
        channels, rows, columns = graph.tensors[name].shape
        groups = ceil_div(channels, word_channels)
        found = words.get(key, [])
        if len(found) != rows * columns * groups:
            raise InputError(f"{name}: {len(found)} words were computed, not {rows * columns * groups}")
        values = np.frombuffer(bytes.fromhex("".join(found)), np.int8).reshape(rows, columns, groups, word_channels)
        values = values[..., ::-1].reshape(rows, columns, -1)[..., :channels]
        maps[name] = values.transpose(2, 0, 1)[None]
    return maps


def _places(graph):
    """Each layer's name, and where the trace has its words."""
    conv, pool, *middle, average, _ = graph.nodes
    yield conv.output, ("m", 0)
    yield pool.output, ("y", 0)
    for index, node in enumerate(middle):
        yield node.output, ("dmy"[index % 3], 1 + index // 3)
    yield average.output, ("g", 1 + len(middle) // 3)
