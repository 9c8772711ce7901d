"""The integer network as data: tensors, nodes, their validation, and the `.npz` file (docs/numerics.md).

A node is named by its output tensor. Its attributes are exactly these; arrays have exactly these dtypes.

conv2d : inputs [x] or [x, shortcut]
    weight (int8, output channels x input channels / groups x rows x columns),
    weight_quant (QuantParams, axis 0), bias (int32 per output channel, or None), stride, pad, groups (int),
    relu ("none", "before" or "after" the requantisation), multiplier (int16 per output channel),
    shift (int), offset (int32 per output channel), shortcut_multiplier (int with a shortcut, else None).
    An output of 32 bits (logits) takes neither shortcut nor relu "after".
maxpool : inputs [x]
    kernel, stride (int).
avgpool : inputs [x], global
    multiplier (int16, shape (1,)), shift (int), offset (int32, shape (1,)).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Dict, List, Optional, Tuple, Union

import numpy as np

from ..files import atomic_path, npz_bytes
from ..npz import read_npz
from ..reading import InputError, parse_json, parsing
from .detect import Detection, check, from_plain
from .packing import weight_limit
from .requantise import MAX_OFFSET, MAX_SHIFT

__all__ = ["QuantParams", "Tensor", "Node", "Graph", "accumulator_bound"]

VERSION = 2
_ATTRIBUTES = {
    "conv2d": ("weight", "weight_quant", "bias", "stride", "pad", "groups", "relu", "multiplier", "shift",
               "offset", "shortcut_multiplier"),
    "maxpool": ("kernel", "stride"),
    "avgpool": ("multiplier", "shift", "offset"),
}
_INTEGERS = ("stride", "pad", "groups", "shift", "kernel")


@dataclass(frozen=True)
class QuantParams:
    """real = scale * (integer - zero_point).

    Parameters
    ----------
    scale : float, or tuple of float with one per index of `axis`
    zero_point : int
    bits : int
        8 for activations, 32 for logits, 2, 3, 4 or 8 for weights.
    axis : int or None
        None for one scale.
    """
    scale: Union[float, Tuple[float, ...]]
    zero_point: int = 0
    bits: int = 8
    axis: Optional[int] = None


@dataclass(frozen=True)
class Tensor:
    """An activation: its name, shape (channels, rows, columns) and QuantParams."""
    name: str
    shape: Tuple[int, int, int]
    quant: QuantParams

    @property
    def nbytes(self):
        """Bytes of one image's tensor in memory."""
        return int(np.prod(self.shape)) * self.quant.bits // 8


@dataclass
class Node:
    """One operator; see the head of this module for `op`, `inputs` and `attrs`."""
    op: str
    inputs: List[str]
    output: str
    attrs: dict


@dataclass
class Graph:
    """A network in order of execution, its input tensor first.

    Its result is the last node's output; that of a detector is what `detection` makes of the maps that it
    names. Build one with `Graph(name, image)`, `append` for each node, and setting `detection`. `labels` are the names
    of the classes in the order of the outputs, where they are known.
    """
    name: str
    image: Tensor
    nodes: List[Node] = field(default_factory=list)
    tensors: Dict[str, Tensor] = field(default_factory=dict)
    detection: Optional[Detection] = None
    labels: Optional[List[str]] = None

    def __post_init__(self):
        self.tensors.setdefault(self.image.name, self.image)

    @property
    def output(self):
        """The Tensor that the last node computes."""
        return self.tensors[self.nodes[-1].output] if self.nodes else self.image

    @property
    def outputs(self):
        """Names of the tensors that the result is made of: logits, or the maps of a detector's predictors."""
        if self.detection is None:
            return [self.output.name]
        return [name for level in self.detection.levels for name in (level.classes, level.boxes)]

    @property
    def classes(self):
        """Number of classes, the background not among them."""
        if self.detection is None:
            return self.output.shape[0]
        first = self.detection.levels[0]
        return self.tensors[first.classes].shape[0] // len(first.anchors) - 1

    @property
    def weight_bits(self):
        """Bits in which the convolutions' weights are stored, ascending."""
        return sorted({node.attrs["weight_quant"].bits for node in self.nodes if node.op == "conv2d"})

    def append(self, node, quant):
        """Add `node` with an output quantised by `quant`; its shape is inferred. Returns the output Tensor.

        Raises
        ------
        InputError
            If the node is not as the head of this module says, naming it.
        """
        if node.output in self.tensors:
            raise InputError(f"node {node.output}: a tensor of this name exists already")
        tensor = Tensor(node.output, _output_shape(node, self.tensors), quant)
        _check(node, self.tensors, tensor)
        self.tensors[tensor.name] = tensor
        self.nodes.append(node)
        return tensor

    def validate(self):
        """Check every node again.

        Raises
        ------
        InputError
            One line naming the node at fault.
        """
        odd = [name for name in (self.name, *self.tensors) if not isinstance(name, str)]
        if odd:
            raise InputError(f"graph {self.name}: the name {odd[0]!r} is no text")
        fresh = Graph(self.name, self.image)
        _check_tensor("image", self.image)
        for node in self.nodes:
            if node.output not in self.tensors:
                raise InputError(f"node {node.output}: its output tensor is missing")
            inferred = fresh.append(node, self.tensors[node.output].quant)
            if inferred != self.tensors[node.output]:
                raise InputError(f"node {node.output}: output is {self.tensors[node.output].shape}, "
                                 f"its operator makes {inferred.shape}")
        extra = set(self.tensors) - set(fresh.tensors)
        if extra or not self.nodes:
            raise InputError(f"graph {self.name}: " + (f"tensor {sorted(extra)[0]} has no node" if extra
                                                       else "there is no node"))
        if self.detection is not None:
            check(self.detection, self)
        if self.labels is not None:
            _check_labels(self)

    def sha256(self):
        """Hash of everything the graph holds: the same network, the same hash."""
        return digest_of(_members(self))

    def save(self, path):
        """Write a validated graph to `path` (`.npz`), atomically; the same graph gives the same bytes."""
        self.validate()
        members = _members(self)
        members["sha256"] = np.frombuffer(digest_of(members).encode(), np.uint8)
        with atomic_path(path) as temporary:
            temporary.write_bytes(npz_bytes(members))

    @classmethod
    def load(cls, path):
        """Read and validate a graph.

        Raises
        ------
        InputError
            If the file is missing, truncated, altered, of another version, or holds an invalid graph.
        """
        members = read_npz(path, "write it anew", "is damaged or no integer graph")
        with parsing(path, "make one with tools/make_graph.py", "is no integer graph"):
            recorded = members.pop("sha256").tobytes().decode("ascii")
            description = parse_json(members["graph.json"].tobytes().decode())
            version = description["version"]
        if recorded != digest_of(members):
            raise InputError(f"{path} has been altered (its checksum differs); write it anew")
        if version != VERSION:
            raise InputError(f"{path} is of graph version {version}, this program reads {VERSION}; "
                             "write it anew")
        with parsing(path, "write it anew", "holds no valid graph"):
            graph = _from_members(description, members)
            try:
                graph.validate()
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
        return graph


def accumulator_bound(weight, bias=None):
    """Largest |acc| per output channel that any int8 input can cause (numerics.md section 5).

    Parameters
    ----------
    weight : array of int, shape (O, I, R, S)
    bias : array of int, shape (O,), optional

    Returns
    -------
    array of int64, shape (O,)
    """
    bound = 128 * np.abs(np.asarray(weight, np.int64)).reshape(len(weight), -1).sum(axis=1)
    return bound if bias is None else bound + np.abs(np.asarray(bias, np.int64))


# ---- Validation: each check says what is wrong with which node ----

def _require(condition, node, message):
    if not condition:
        raise InputError(f"node {node.output}: {message}")


def _output_shape(node, tensors):
    attributes = _ATTRIBUTES.get(node.op)
    _require(attributes is not None, node, f"unknown operator {node.op!r}")
    _require(set(node.attrs) == set(attributes), node,
             f"{node.op} takes the attributes {', '.join(attributes)}, not {', '.join(sorted(node.attrs))}")
    for name in node.inputs:
        _require(name in tensors, node, f"input {name} is not computed before it")
    _require(len(node.inputs) == 1 or (node.op == "conv2d" and len(node.inputs) == 2), node,
             f"{node.op} cannot take {len(node.inputs)} inputs")
    for key in _INTEGERS:
        if key in node.attrs:
            smallest = 0 if key in ("pad", "shift") else 1
            value = node.attrs[key]
            _require(type(value) is int and value >= smallest, node,
                     f"{key} is {value!r}, must be an integer from {smallest}")
    channels, rows, columns = tensors[node.inputs[0]].shape
    if node.op == "avgpool":
        return channels, 1, 1
    if node.op == "maxpool":
        size, stride, pad = (node.attrs["kernel"],) * 2, node.attrs["stride"], 0
    else:
        weight = node.attrs["weight"]
        groups = node.attrs["groups"]
        _require(isinstance(weight, np.ndarray) and weight.dtype == np.int8 and weight.ndim == 4
                 and weight.size, node, "weight must be an int8 array of four dimensions")
        _require(weight.shape[1] * groups == channels and weight.shape[0] % groups == 0, node,
                 f"weight {weight.shape} with {groups} groups does not fit {channels} channels")
        channels, size = weight.shape[0], weight.shape[2:]
        stride, pad = node.attrs["stride"], node.attrs["pad"]
    out = tuple((length + 2 * pad - k) // stride + 1 for length, k in zip((rows, columns), size))
    _require(min(out) >= 1 and pad < min(size), node,
             f"kernel {size} with padding {pad} does not fit {rows} x {columns}")
    return (channels,) + out


def _check_tensor(label, tensor):
    quant = tensor.quant
    limits = {8: (-128, 127), 32: (0, 0)}.get(quant.bits)
    if limits is None or quant.axis is not None or not isinstance(quant.scale, float) \
            or not (np.isfinite(quant.scale) and quant.scale > 0) or type(quant.zero_point) is not int \
            or not limits[0] <= quant.zero_point <= limits[1]:
        raise InputError(f"node {label}: output quantisation {quant} is not valid")
    if len(tensor.shape) != 3 or min(tensor.shape) < 1:
        raise InputError(f"node {label}: shape {tensor.shape} is not (channels, rows, columns)")


def _check_labels(graph):
    labels = graph.labels
    if not isinstance(labels, list) or not all(isinstance(name, str) and name.isprintable() and name.strip() == name
                                               and name for name in labels):
        raise InputError(f"graph {graph.name}: labels must be a list of names, none empty or with a line break")
    if len(labels) != graph.classes or len(set(labels)) < len(labels):
        raise InputError(f"graph {graph.name}: there are {graph.classes} classes and {len(set(labels))} labels")


def _check(node, tensors, output):
    _check_tensor(node.output, output)
    source = tensors[node.inputs[0]]
    _require(source.quant.bits == 8, node, f"input {source.name} is not int8")
    if node.op == "maxpool":
        _require(output.quant == source.quant, node, "maxpool keeps the scale and zero point of its input")
        return
    attrs, channels = node.attrs, output.shape[0]
    count = channels if node.op == "conv2d" else 1
    for key, dtype in (("multiplier", np.int16), ("offset", np.int32), ("bias", np.int32)):
        value = attrs.get(key)
        if key == "bias" and value is None:
            continue
        _require(isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == (count,), node,
                 f"{key} must be {np.dtype(dtype).name} of shape ({count},)")
    _require(attrs["multiplier"].min() > -32768, node, "a multiplier is -32768")
    _require(np.abs(attrs["offset"].astype(np.int64)).max() <= MAX_OFFSET, node, "an offset reaches 2^23")
    if node.op == "avgpool":
        _require(output.quant.bits == 8, node, "avgpool makes int8")
        bound = 128 * source.shape[1] * source.shape[2]
    else:
        _check_weight(node, channels)
        _check_activation(node, tensors, output)
        bound = int(accumulator_bound(attrs["weight"], attrs["bias"]).max())
    _require(attrs["shift"] <= MAX_SHIFT and bound << attrs["shift"] < 1 << 31, node,
             f"shift {attrs['shift']} takes the accumulator ({bound}) past 32 bits")


def _check_weight(node, channels):
    weight, quant = node.attrs["weight"], node.attrs["weight_quant"]
    _require(isinstance(quant, QuantParams) and quant.zero_point == 0 and quant.axis == 0
             and isinstance(quant.scale, tuple) and len(quant.scale) == channels
             and all(isinstance(s, float) and 0 < s < float("inf") for s in quant.scale), node,
             f"weight_quant must hold {channels} positive scales on axis 0 and zero point 0")
    _require(quant.bits in (2, 3, 4, 8), node, f"weights of {quant.bits} bits are not supported")
    _require(np.abs(weight.astype(np.int16)).max() <= weight_limit(quant.bits), node,
             f"a weight exceeds +-{weight_limit(quant.bits)}, the range of {quant.bits} bits")


def _check_activation(node, tensors, output):
    attrs, shortcut = node.attrs, len(node.inputs) == 2
    _require(attrs["relu"] in ("none", "before", "after"), node, f"relu is {attrs['relu']!r}")
    multiplier = attrs["shortcut_multiplier"]
    _require((multiplier is not None) == shortcut, node, "shortcut_multiplier goes with a second input")
    if shortcut:
        second = tensors[node.inputs[1]]
        _require(second.shape == output.shape and second.quant.bits == 8, node,
                 f"shortcut {second.name} {second.shape} must be int8 of shape {output.shape}")
        _require(type(multiplier) is int and abs(multiplier) < 1 << 15, node,
                 "shortcut_multiplier exceeds 16 bits")
    _require(output.quant.bits == 8 or not (shortcut or attrs["relu"] == "after"), node,
             "an int32 output takes neither a shortcut nor relu after it")


# ---- The file ----

def _members(graph):
    """Every array of the file except its checksum, by name."""
    members, nodes = {}, []
    for node in graph.nodes:
        plain = {}
        for key, value in node.attrs.items():
            if isinstance(value, np.ndarray):
                members[f"{node.output}/{key}"] = np.ascontiguousarray(value)
            else:
                plain[key] = vars(value) if isinstance(value, QuantParams) else value
        nodes.append({"op": node.op, "inputs": list(node.inputs), "output": node.output, "attrs": plain})
    description = {"version": VERSION, "name": graph.name, "image": graph.image.name, "nodes": nodes,
                   "detection": None if graph.detection is None else asdict(graph.detection),
                   "tensors": [{"name": t.name, "shape": t.shape, "quant": vars(t.quant)}
                               for t in graph.tensors.values()]}
    if graph.labels is not None:
        description["labels"] = graph.labels
    text = json.dumps(description, sort_keys=True).encode()
    members["graph.json"] = np.frombuffer(text, np.uint8)
    return members


def digest_of(members):
    digest = hashlib.sha256()
    for name in sorted(members):
        array = members[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _from_members(description, members):
    tensors = {t["name"]: Tensor(t["name"], tuple(t["shape"]), _quant(t["quant"]))
               for t in description["tensors"]}
    nodes = []
    for entry in description["nodes"]:
        attrs = dict(entry["attrs"])
        if "weight_quant" in attrs:
            attrs["weight_quant"] = _quant(attrs["weight_quant"])
        prefix = entry["output"] + "/"
        attrs.update({name[len(prefix):]: array for name, array in members.items()
                      if name.startswith(prefix) and "/" not in name[len(prefix):]})
        nodes.append(Node(entry["op"], entry["inputs"], entry["output"], attrs))
    return Graph(description["name"], tensors[description["image"]], nodes, tensors,
                 from_plain(description["detection"]), description.get("labels"))


def _quant(entry):
    scale = entry["scale"]
    return QuantParams(tuple(scale) if isinstance(scale, list) else scale, entry["zero_point"], entry["bits"],
                       entry["axis"])
