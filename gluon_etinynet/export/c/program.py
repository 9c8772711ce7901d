"""Building and running exported C: the demo on this computer or on a Cortex-M under QEMU, and its trace."""

import os
import shutil
import subprocess

import numpy as np

from ...files import InputError

__all__ = ["call", "make", "need", "raw", "logits", "detection_lines", "read_trace", "split_trace"]

_OUTER = ("MAKEFLAGS", "MAKELEVEL", "CFLAGS", "LDFLAGS", "CC")  # not meant for the exported folder


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


def raw(image):
    """One image (channels, rows, columns) as the C runtime takes it: rows, columns, RGB; bytes."""
    return np.ascontiguousarray(image.transpose(1, 2, 0)).tobytes()


def logits(program, image, *arguments):
    """Logits that an exported program computes of one image, an array of int32."""
    return np.array(call([program, "--logits", *arguments], raw(image)).split(), np.int32)


def detection_lines(found):
    """The lines that a detector's program prints for these detections, a structured array of `detect.RESULT`."""
    return [f"class {one['class']} score {int(one['score']) * 100000 // 65536 / 100000:.5f} box "
            + " ".join(f"{'-' if v < 0 else ''}{abs(int(v)) / 16:.4f}" for v in one["box"]) for one in found]


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
        If the output holds less than every layer's rows.
    """
    return split_trace(graph, output, image)[0]


def split_trace(graph, output, image):
    """As `read_trace`; returns the trace, and the text behind it."""
    rows = [[] for _ in graph.nodes]
    left, position = sum(graph.tensors[node.output].nbytes for node in graph.nodes), 0
    while left > 0 and position + 8 <= len(output):
        layer, count = (int(v) for v in np.frombuffer(output, "<u4", 2, position))
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
