"""Where each buffer lies in the arena: the schedules of a network and their peak bytes.

Four schedules, from the common one to what the C runtime does:

- ``layers``: one operator after the other, every tensor whole.
- ``stem``: convolution and max pooling of the stem fused by rows, all else as ``layers``. The paper's
  245 KB for EtinyNet-1.0 at 224 are the two maps of this schedule, without its lines.
- ``blocks``: every (D)LB fused by rows too, each map overwritten by the next one; the stored image likewise.
- ``rows``: the same with the image pushed row by row, never stored.

The last two decode a detector's predictors row by row (numerics.md section 9), before the map that they read
is overwritten; what they store is a list of candidates. The first two store their maps whole.
"""

from collections import namedtuple
from dataclasses import dataclass, replace
from typing import Tuple

from ..files import InputError
from .detect import RESULT
from .stages import stages

__all__ = ["SCHEDULES", "CANDIDATE_BYTES", "Buffer", "LineFormat", "Step", "Plan", "plan", "last_row_read"]

SCHEDULES = ("layers", "stem", "blocks", "rows")
ALIGNMENT = 8
MOST_ROWS = 8  # of a block that are computed together: ETN_MOST_ROWS of the C runtime
_RING = 3  # rows of a 3x3 kernel
_STEM_ROWS = 3  # rows of the stem's convolution: two being pooled, one being computed
CANDIDATE_BYTES = RESULT.itemsize + 2  # of a detector: a result, and the number of its anchor

# kind is "map" (a whole tensor), "line" (rows of one, gone after the step) or "list" (of a detector's
# candidates).
Buffer = namedtuple("Buffer", "name kind offset size")


@dataclass(frozen=True)
class LineFormat:
    """How rows between convolutions are held: lines, which feed a 3x3 kernel, and operands, which feed a 1x1 kernel.

    Attributes
    ----------
    bytes : {1, 2}
        Per element.
    columns : int
        Their number is rounded up to a multiple of this; of a line, this times the stride of its reader.
    channels : int
        The number of an operand's is rounded up to a multiple of this.
    spare : int
        Columns more of a line, which are read and do not count.
    band : int
        Columns that a pointwise convolution should compute in one go, from several rows if need be and memory allows.
    """
    bytes: int = 1
    columns: int = 1
    channels: int = 1
    band: int = 1
    spare: int = 0

    def line(self, channels, columns, stride):
        """Bytes of a line, padded by a column on either side."""
        return channels * (_up(columns, self.columns * stride) + 2 + self.spare) * self.bytes

    def operand(self, channels, columns, rows=1):
        """Bytes of an operand of several rows. Where these are no multiple, columns behind the last are written too."""
        behind = self.columns - 1 if columns % self.columns else 0
        return _up(channels, self.channels) * _up(rows * columns + behind, self.columns) * self.bytes


@dataclass(frozen=True)
class Step:
    """What is in the arena while `nodes` run together: Buffers of a name, kind, offset and size in bytes."""
    nodes: Tuple[str, ...]
    buffers: Tuple[Buffer, ...]
    rows: int = 1  # of a block that are computed together

    def buffer(self, name):
        """The Buffer of that name."""
        return next(b for b in self.buffers if b.name == name)


@dataclass(frozen=True)
class Plan:
    """A schedule laid out."""
    schedule: str
    steps: Tuple[Step, ...]

    @property
    def arena_bytes(self):
        """Bytes of the arena, at ALIGNMENT."""
        return max(b.offset + b.size for step in self.steps for b in step.buffers)

    @property
    def map_bytes(self):
        """Bytes of whole maps at their worst, without lines."""
        return max(_extent([b for b in step.buffers if b.kind == "map"]) for step in self.steps)


def plan(graph, schedule, lines=LineFormat()):
    """Lay out `graph` in an arena.

    Parameters
    ----------
    graph : Graph
    schedule : str
        One of SCHEDULES.
    lines : LineFormat
        Of the lines that feed depthwise and pointwise convolutions; stem rows stay int8.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If the network is not made of `stages`, which all but ``layers`` need; names the node.
    """
    if schedule not in SCHEDULES:
        raise InputError(f"unknown schedule {schedule!r}; choose one of {', '.join(SCHEDULES)}")
    if schedule == "layers":
        return Plan(schedule, _whole([((node,), ()) for node in graph.nodes], graph))
    if schedule == "stem":
        stem, *rest = stages(graph)
        conv = graph.tensors[stem.nodes[0].output]
        lines = (("conv", stem.nodes[1].attrs["kernel"] * conv.shape[0] * conv.shape[2]),)
        alone = [((node,), ()) for stage in rest for node in stage.nodes]
        return Plan(schedule, _whole([(stem.nodes, lines)] + alone, graph))
    return Plan(schedule, _in_place(graph, schedule == "rows", lines))


# ---- Whole tensors: place the largest first, at the lowest offset that is free while it lives ----

def _whole(groups, graph):
    """`groups` holds (nodes run together, their lines as (name, size))."""
    lives, last = {graph.image.name: [0, 0]}, len(groups) - 1
    for step, (nodes, _) in enumerate(groups):
        inner = {node.output for node in nodes[:-1]}
        for node in nodes:
            for name in node.inputs:
                if name not in inner:
                    lives[name][1] = step
        lives[nodes[-1].output] = [step, step]
    for name in graph.outputs:
        lives[name][1] = last
    wanted = [(name, "map", graph.tensors[name].nbytes, begin, end) for name, (begin, end) in lives.items()]
    wanted += [(name, "line", size, step, step)
               for step, (_, lines) in enumerate(groups) for name, size in lines]
    placed = []
    for name, kind, size, begin, end in sorted(wanted, key=lambda w: -w[2]):
        offset = 0
        for other, b, e in placed:
            over = other.offset + other.size
            if b <= end and begin <= e and other.offset < offset + size and offset < over:
                offset = _align(over)
        placed.append((Buffer(name, kind, offset, size), begin, end))
        placed.sort(key=lambda p: p[0].offset)
    return tuple(Step(tuple(node.output for node in nodes),
                      tuple(buffer for buffer, b, e in placed if b <= step <= e))
                 for step, (nodes, _) in enumerate(groups))


# ---- By rows, in place ----

def _in_place(graph, pushed, lines):
    """A stage's output begins below its input by just enough that no row is overwritten before it is read.

    Every stage copies the rows that its first convolution needs into a ring of lines before it writes a row.
    """
    found = stages(graph)
    fused = [stage for stage in found if stage.kind in ("stem", "block")]
    offsets = [0]
    for stage in reversed(fused):
        offsets.insert(0, max(0, _align(offsets[0] + _lead(graph, stage))))
    ends = [graph.image.name] + [stage.nodes[-1].output for stage in fused]
    where = {name: Buffer(name, "map", offset, graph.tensors[name].nbytes)
             for name, offset in zip(ends, offsets)}
    steps = []
    for stage in found:
        source, out = where[stage.nodes[0].inputs[0]], graph.tensors[stage.nodes[-1].output]
        if stage.kind == "head":
            # The head alternates between the two ends of what it reads: below if there is room, else above.
            offset = 0 if source.offset >= out.nbytes else _align(source.offset + source.size)
            where[out.name] = Buffer(out.name, "map", offset, out.nbytes)
        maps = [where[name] for name in (source.name, out.name) if name in where]
        steps.append(_step(stage, maps[pushed and stage.kind == "stem":], _lines(graph, stage, lines)))
    steps = _with_candidates(graph, steps)
    peak = max(_extent(step.buffers) for step in steps)
    return tuple(_widest(graph, stage, step, lines, peak) for stage, step in zip(found, steps))


def _widest(graph, stage, step, lines, peak):
    """A block's step with as many rows together as `lines` asks for and stay below `peak`."""
    if stage.kind != "block":
        return step
    rest = [buffer for buffer in step.buffers if buffer.kind != "line"]
    _, all_rows, columns = graph.tensors[stage.nodes[0].output].shape
    for rows in range(min(-(-lines.band // columns), all_rows, MOST_ROWS), 1, -1):
        wider = _step(stage, rest, _lines(graph, stage, lines, rows), rows)
        if _extent(wider.buffers) <= peak:
            return wider
    return step


def _with_candidates(graph, steps):
    """Put a detector's list of candidates above all that it lives with: from the first level on."""
    if graph.detection is None:
        return steps
    first = next(i for i, step in enumerate(steps) if step.nodes[0] == graph.detection.levels[0].classes)
    offset = _align(max(_extent(step.buffers) for step in steps[first:]))
    candidates = Buffer("candidates", "list", offset, graph.detection.candidates * CANDIDATE_BYTES)
    return steps[:first] + [replace(step, buffers=step.buffers + (candidates,)) for step in steps[first:]]


def _step(stage, maps, lines, rows=1):
    buffers, offset = list(maps), _align(_extent(maps))
    for name, size in lines:
        buffers.append(Buffer(name, "line", offset, size))
        offset = _align(offset + size)
    return Step(tuple(node.output for node in stage.nodes), tuple(buffers), rows)


def _lines(graph, stage, lines, rows=1):
    """Names and sizes of the lines of a fused stage; rings are padded by a column on either side."""
    if stage.kind == "head":
        return ()
    first = stage.nodes[0]
    channels, _, columns = graph.tensors[first.inputs[0]].shape
    conv = graph.tensors[first.output].shape
    stride = first.attrs["stride"]
    if stage.kind == "stem":
        height = first.attrs["weight"].shape[2]
        return (("in", height * (columns + 2 * first.attrs["pad"]) * channels),
                ("conv", _STEM_ROWS * conv[0] * conv[2]))
    middle = graph.tensors[stage.nodes[1].output].shape
    row = ("row", lines.operand(channels, columns))
    if stage.kind == "level":
        return row, *((name, 4 * shape[0] * shape[2]) for name, shape in (("scores", conv), ("offsets", middle)))
    more = rows - 1
    return (("in", (_RING + more * stride) * lines.line(channels, columns, stride)),
            ("depthwise", lines.operand(conv[0], conv[2], rows)),
            ("middle", (_RING + more) * lines.line(middle[0], middle[2], stage.nodes[2].attrs["stride"])))


def _lead(graph, stage):
    """Least distance from the output's offset up to the input's."""
    x, y = graph.tensors[stage.nodes[0].inputs[0]], graph.tensors[stage.nodes[-1].output]
    in_row, out_row = x.shape[0] * x.shape[2], y.shape[0] * y.shape[2]
    leads = []
    for row in range(y.shape[1]):
        unread = last_row_read(graph, stage.nodes, row) + 1
        if unread < x.shape[1]:
            leads.append((row + 1) * out_row - unread * in_row)
    return max(leads, default=-x.nbytes)


def last_row_read(graph, nodes, row):
    """Last input row that output row `row` of the chain `nodes` depends on."""
    for node in reversed(nodes):
        kernel = node.attrs["kernel"] if node.op == "maxpool" else node.attrs["weight"].shape[2]
        row = row * node.attrs["stride"] + kernel - 1 - node.attrs.get("pad", 0)
        row = min(row, graph.tensors[node.inputs[0]].shape[1] - 1)
    return row


def _extent(buffers):
    return max(b.offset + b.size for b in buffers)


def _align(offset):
    return _up(offset, ALIGNMENT)


def _up(value, to):
    """`value` rounded up to a multiple of `to`."""
    return -(-value // to) * to
