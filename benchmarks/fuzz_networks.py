"""Integer networks for fuzz.py: valid ones with other numbers, and their C held against the interpreter."""

import copy
from dataclasses import replace

import numpy as np

from gluon_etinynet import InputError
from gluon_etinynet.export.c.program import call, detection_lines, raw, split_trace
from gluon_etinynet.integer import Graph, first_difference, run, trace, weight_limit
from gluon_etinynet.integer.random_graphs import images
from gluon_etinynet.integer.requantise import MAX_OFFSET, MAX_SHIFT

__all__ = ["network_values", "difference"]


def network_values(path, rng):
    """Other weights, parameters of requantisation, zero points and limits of detection, which make a valid network."""
    try:
        graph = Graph.load(path)
    except InputError:  # an earlier change has damaged it
        return
    for _ in range(rng.integers(1, 9)):
        tried = copy.deepcopy(graph)
        ways = [numbers, numbers, numbers, weights, zero_point] + [limits] * (graph.detection is not None)
        ways[rng.integers(len(ways))](tried, rng)
        try:
            tried.validate()
            graph = tried
        except InputError:
            pass  # such as a shift too far for these weights: without this change then
    graph.save(path)


def ends_or_any(rng, limit, shape):
    """Integers of -limit to limit: any, small, or the ends only."""
    return [lambda: rng.integers(-limit, limit + 1, shape), lambda: rng.integers(-2, 3, shape),
            lambda: rng.choice([-limit, limit], shape)][rng.integers(3)]()


def numbers(graph, rng):
    """Of the requantisation of a layer."""
    node = graph.nodes[rng.integers(len(graph.nodes))]
    attrs = node.attrs
    if node.op == "maxpool":
        return
    way = rng.integers(6)
    if way == 0:
        attrs["multiplier"] = ends_or_any(rng, 32767, attrs["multiplier"].shape).astype(np.int16)
    elif way == 1:
        attrs["offset"] = ends_or_any(rng, MAX_OFFSET, attrs["offset"].shape).astype(np.int32)
    elif way == 2:
        attrs["shift"] = int(rng.integers(MAX_SHIFT + 1))
    elif node.op == "conv2d" and way == 3:
        bias = ends_or_any(rng, 1 << rng.integers(1, 31), len(attrs["weight"])).astype(np.int32)
        attrs["bias"] = None if rng.random() < 0.2 else bias
    elif node.op == "conv2d" and way == 4:
        attrs["relu"] = ["none", "before", "after"][rng.integers(3)]
    elif len(node.inputs) == 2:
        attrs["shortcut_multiplier"] = int(ends_or_any(rng, 32767, ()))


def weights(graph, rng):
    convolutions = [node for node in graph.nodes if node.op == "conv2d"]
    attrs = convolutions[rng.integers(len(convolutions))].attrs
    bits = int(rng.choice([2, 3, 4, 8]))
    attrs["weight"] = ends_or_any(rng, weight_limit(bits), attrs["weight"].shape).astype(np.int8)
    attrs["weight"] = np.clip(attrs["weight"], -weight_limit(bits), weight_limit(bits))
    attrs["weight_quant"] = replace(attrs["weight_quant"], bits=bits)


def zero_point(graph, rng):
    """Of a map, and of what a pooling makes of it."""
    maps = [name for name, tensor in graph.tensors.items() if tensor.quant.bits == 8]
    name, value = maps[rng.integers(len(maps))], int(ends_or_any(rng, 127, ()))
    same = {name} | {node.output for node in graph.nodes if node.op == "maxpool" and name in node.inputs}
    for each in same:
        graph.tensors[each] = replace(graph.tensors[each], quant=replace(graph.tensors[each].quant, zero_point=value))
    graph.image = graph.tensors[graph.image.name]


def limits(graph, rng):
    """Of what a detector finds: thresholds, counts, and the anchors of a level."""
    of = graph.detection
    candidates = int(rng.choice([1, 2, 7, 400, 3000]))
    level = of.levels[rng.integers(len(of.levels))]
    halves = rng.integers(1, 1 << rng.integers(1, 27), (len(level.anchors), 2))
    other = replace(level, anchors=tuple(map(tuple, halves.tolist())), half_step=int(rng.integers(1, 1 << 22)))
    graph.detection = replace(
        of, levels=tuple(other if each == level else each for each in of.levels), candidates=candidates,
        detections=int(rng.integers(1, candidates + 1)), score_threshold=int(rng.choice([0, 655, 20000, 65535])),
        iou_threshold=int(rng.choice([0, 29491, 65535])))


def difference(graph, program):
    """What the C of a network, built by `Sanitized`, computes otherwise than the interpreter; None if nothing.

    Every layer's output and the result, of noise and of the two ends of int8, stored and pushed.
    """
    noise, = images(graph)
    for image in (noise, np.where(noise < 0, -128, 127).astype(np.int8)):
        golden, result = trace(graph, image[None]), run(graph, image[None])[0]
        expected = list(map(str, result.ravel())) if graph.detection is None else detection_lines(result, graph.labels)
        for way in ([], ["--pushed"]):
            options = way if graph.detection else ["--logits", *way]
            try:
                traced, said = split_trace(graph, call([program, *options], raw(image)), image)
            except InputError as error:
                return str(error)
            found = first_difference(golden, traced)
            if found is not None:
                return f"C differs: {found}"
            if said.splitlines() != expected:
                return "C has another result than the interpreter"
    return None
