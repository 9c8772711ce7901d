"""Building and running exported C: the demo on this computer or on a microcontroller under QEMU, and its trace."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import List, NamedTuple

import numpy as np

from ...files import InputError
from .emit import emit
from .kernel_sets import KERNEL_SETS
from .mcus import MCUS

__all__ = ["MCUS", "Sizes", "Inference", "DoesNotFit", "call", "make", "need", "raw", "build_elf", "sizes", "simulate",
           "read_inference", "instructions_by_layer", "simulated_output", "target", "logits", "detection_lines",
           "detects", "read_trace", "split_trace", "SANITIZE", "Sanitized"]


class Sizes(NamedTuple):
    """Bytes of flash (code, constants, initial values), and of RAM without the stack, which the arena is a part of."""

    flash: int
    ram: int


class Inference(NamedTuple):
    """What an inference printed of its result; instructions executed; the most bytes of stack in use.

    Where the image came by rows, or from a camera, the instructions of all rows and the most of one, too.
    """

    lines: List[str]
    instructions: int = 0
    stack: int = 0
    of_rows: int = 0
    most_of_a_row: int = 0


class DoesNotFit(InputError):
    """A microcontroller's memory does not hold the program; `reason` has the linker's words for it."""

    def __init__(self, folder, mcu, reason):
        super().__init__(f"{folder} does not fit {mcu}: {reason}")
        self.reason = reason


_OUTER = ("MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "CC", "CLANG", "ARM_CC")  # not meant for the exported folder


def need(*programs):
    """Raise InputError if one of these programs is not installed."""
    for program in programs:
        if not shutil.which(program):
            raise InputError(f"{program} is not installed; install it and start again")


def call(command, stdin=None, **options):
    """Run a command; return its standard output, bytes.

    Raises
    ------
    InputError
        If it fails, with what it said of an error; its cause is a CalledProcessError.
    """
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, input=stdin, check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=600, **options)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").splitlines() or [f"exit status {error.returncode}"]
        said = next((line for line in lines if "error" in line or "overflowed" in line), lines[-1])
        raise InputError(f"{' '.join(command)} failed: {said}") from error
    except OSError as error:
        raise InputError(f"cannot run {command[0]}: {error.strerror}") from error
    return done.stdout


def make(folder, *arguments, stdin=None):
    """Run ``make`` in an exported folder; return its standard output, bytes. Errors as `call`."""
    environment = {key: value for key, value in os.environ.items() if key not in _OUTER}
    return call(["make", "-s", "-C", folder, *arguments], stdin, env=environment)


def build_elf(folder, mcu, *arguments):
    """Build the demo of an exported folder for a microcontroller; further `arguments` are for ``make``.

    Raises
    ------
    DoesNotFit, InputError
        As `sizes`.
    """
    try:
        make(folder, "elf", *target(mcu), *arguments)
    except InputError as error:
        said = getattr(error.__cause__, "stderr", b"").decode(errors="replace").splitlines()
        reasons = [line.split(": ")[-1] for line in said if "overflowed" in line or "left for the stack" in line]
        if not reasons:
            raise
        raise DoesNotFit(folder, mcu, "; ".join(reasons)) from error


def sizes(folder, mcu, cflags="-O2"):
    """Build the demo of an exported folder for a microcontroller, and read what it takes of its memory.

    Parameters
    ----------
    folder : str or Path
    mcu : str
        One of MCUS.
    cflags : str
        The compiler's optimisation.

    Returns
    -------
    Sizes

    Raises
    ------
    DoesNotFit
        If the flash or RAM of `mcu` is too small, 4 KiB of it being the stack's.
    InputError
        As `call`.
    """
    flags = [*target(mcu), f"CFLAGS={cflags}"]
    build_elf(folder, mcu, flags[-1])
    lines = make(folder, "size", *flags).decode().splitlines()
    sections = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith(".")}
    return Sizes(sections[".text"] + sections.get(".ARM.exidx", 0) + sections[".data"],
                 sections[".data"] + sections[".bss"])


def simulate(folder, mcu, image, cflags="-O2", arguments=""):
    """One inference of an exported folder's demo on a simulated microcontroller.

    Parameters
    ----------
    folder, mcu, cflags
        As of `sizes`.
    image : bytes
        As `raw` makes them.
    arguments : str
        For the demo, as "--pushed".

    Returns
    -------
    Inference
        Its instructions are exact: the same image gives the same number.

    Raises
    ------
    InputError
        As `call`.
    """
    return read_inference(simulated_output(folder, mcu, image, f"CFLAGS={cflags}", f"ARGS={arguments}"))


SPACIOUS = ("mps2-an385", "mps2-an386", "mps2-an500")  # machines with 4 MB of flash and of RAM
COSTS = {"instructions": "instructions", "stack_bytes": "stack", "instructions_of_rows": "of_rows",
         "most_of_a_row": "most_of_a_row"}


def read_inference(output):
    """The Inference that a demo printed, bytes: its result, then what it cost, as far as that is counted there."""
    said = output.decode().splitlines()
    lines = [line for line in said if line.split()[0] not in COSTS]
    return Inference(lines, **{COSTS[name]: int(value) for name, value in map(str.split, said[len(lines):])})


def instructions_by_layer(folder, mcu, image, cflags="", arguments=""):
    """Instructions of each layer of one inference on a simulated microcontroller, as {number of the layer: count}."""
    # The code that counts them needs room, and these boards of QEMU have it.
    roomy = "stm32h743" if MCUS[mcu].machine in SPACIOUS and MCUS[mcu].flash <= 1 << 20 else mcu
    profile = simulated_output(folder, roomy, image, f"MACHINE={MCUS[mcu].machine}", "OBSERVE=profile",
                               f"CFLAGS={cflags}", f"ARGS={arguments}").decode()
    return {int(layer): int(count) for layer, count in re.findall(r"layer (\d+) instructions (\d+)", profile)}


def simulated_output(folder, mcu, image, *arguments):
    """Standard output, bytes, of the demo on a simulated microcontroller; further `arguments` are for ``make``."""
    return make(folder, "qemu", *target(mcu), *arguments, stdin=image)


def target(mcu):
    """The words for ``make`` that choose a microcontroller."""
    return f"MACHINE={MCUS[mcu].machine}", f"MCU={mcu}"


SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class Sanitized:
    """Compiles networks with the address and undefined-behaviour sanitizers, in the folder `work`; the runtime once."""

    def __init__(self, work, kernels="portable"):
        self.work, self.kernels, self.objects = Path(work), kernels, None

    def program(self, graph):
        """Export `graph` and build its demo with the trace; returns the program, which the next call overwrites.

        Raises
        ------
        InputError
            As `emit`, or, with a cause, as `call`.
        """
        folder = emit(graph, "net", self.kernels).write(self.work / "network")
        flags = ["-std=c99", "-DETN_OBSERVED", *KERNEL_SETS[self.kernels].flags, *SANITIZE]
        if self.objects is None:
            self.objects = []
            for source in sorted((folder / "src").glob("etn_*.c")):
                self.objects.append(self.work / (source.stem + ".o"))
                call(["cc", *flags, "-c", source, "-o", self.objects[-1]])
        program = self.work / "program"
        demo = [folder / "demo" / name for name in ("main.c", "host.c", "trace.c")]
        call(["cc", *flags, "-o", program, folder / "src" / "net.c", *demo, *self.objects])
        return program


def raw(image):
    """One image (channels, rows, columns) as the C runtime takes it: rows, columns, RGB; bytes."""
    return np.ascontiguousarray(image.transpose(1, 2, 0)).tobytes()


def logits(program, image, *arguments):
    """Logits that an exported program computes of one image, an array of int32."""
    return np.array(call([program, "--logits", *arguments], raw(image)).split(), np.int32)


def detection_lines(found, labels=None):
    """The lines that a detector's program prints of these detections, a structured array of `detect.RESULT`.

    `labels` are the Graph's, or None.
    """
    return [f"class {one['class']} score {int(one['score']) * 100000 // 65536 / 100000:.5f} box "
            + " ".join(f"{'-' if v < 0 else ''}{abs(int(v)) / 16:.4f}" for v in one["box"])
            + (f" {labels[one['class']]}" if labels else "") for one in found]


def detects(program, graph, image, found):
    """Whether a detector's program prints what the interpreter has found on an image (channels, rows, columns)."""
    return call([program], raw(image)).decode().splitlines() == detection_lines(found, graph.labels)


def read_trace(graph, output, image):
    """Read the trace at the beginning of what a program built with ``OBSERVE=trace`` says.

    Parameters
    ----------
    graph : Graph
    output : bytes
    image : array of int8, shape (channels, rows, columns)

    Returns
    -------
    dict from tensor name to array (1, channels, rows, columns)
        As the interpreter's; `image` among them.

    Raises
    ------
    InputError
        If the output holds less than every layer's rows, or others.
    """
    return split_trace(graph, output, image)[0]


def split_trace(graph, output, image):
    """As `read_trace`; returns the trace, and the text behind it."""
    maps = [graph.tensors[node.output] for node in graph.nodes]
    rows = [[] for _ in maps]
    left, position = sum(of.nbytes for of in maps), 0
    while left > 0 and position + 8 <= len(output):
        layer, count = (int(v) for v in np.frombuffer(output, "<u4", 2, position))
        if layer >= len(maps) or count * maps[layer].shape[1] != maps[layer].nbytes:
            raise InputError(f"the trace of {graph.name} is damaged at byte {position:,}, or of another network; "
                             "record it again")
        rows[layer].append(output[position + 8:position + 8 + count])
        position, left = position + 8 + count, left - count
    if left:
        raise InputError(f"the trace of {graph.name} is not whole; build the program with OBSERVE=trace")
    trace = {graph.image.name: image[None]}
    for node, of in zip(graph.nodes, rows):
        channels, height, width = graph.tensors[node.output].shape
        dtype = "<i4" if graph.tensors[node.output].quant.bits == 32 else np.int8
        values = np.frombuffer(b"".join(of), dtype).reshape(height, channels, width)
        trace[node.output] = values.transpose(1, 0, 2)[None]
    return trace, output[position:].decode()
