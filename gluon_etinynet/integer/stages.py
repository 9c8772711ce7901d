"""What runs together: the nodes of a graph as a stem, blocks and a head, or the levels of a detector."""

from collections import namedtuple

from ..files import InputError

__all__ = ["Stage", "stages"]

Stage = namedtuple("Stage", "kind nodes")


def stages(graph):
    """Group the nodes into a stem, (D)LBs and a head (the paper's Table 1), or the levels of a detector.

    Returns
    -------
    list of Stage
        kind "stem" (conv2d, maxpool), "block" (depthwise, pointwise, depthwise; shortcuts only as numerics.md
        section 3 has them), "head" (one node each: avgpool, fully connected), "level" (the class and the box
        predictor of the map before it).

    Raises
    ------
    InputError
        Naming the first node that fits none of these.
    """
    nodes, found, i, source = graph.nodes, [], 0, graph.image.name
    while i < len(nodes):
        kind, count = _match(graph, nodes[i:i + 3], found[-1].kind if found else None)
        group = tuple(nodes[i:i + count])
        for earlier, later in zip(group, group[1:]):
            if later.inputs[0] != (source if kind == "level" else earlier.output):
                raise InputError(f"node {later.output}: does not follow {earlier.output} within its {kind}")
        if group[0].inputs != [source]:
            raise InputError(f"node {group[0].output}: a {kind} takes the output of {source} alone")
        if kind == "block":
            _check_shortcuts(*group)
        if kind == "level":
            _check_level(graph, group, sum(stage.kind == "level" for stage in found))
        found.append(Stage(kind, group))
        source = source if kind == "level" else group[-1].output
        i += count
    return found


def _match(graph, ahead, before):
    if before is None:
        if [n.op for n in ahead[:2]] != ["conv2d", "maxpool"]:
            raise InputError(f"node {ahead[0].output}: the network does not begin with a convolution "
                             "and a max pooling")
        return "stem", 2
    if ahead[0].output in graph.outputs and graph.detection is not None:
        return "level", 2
    if ahead[0].op == "avgpool" or before == "head":
        return "head", 1
    forms = [_form(graph, node) for node in ahead]
    if forms != ["depthwise", "pointwise", "depthwise"]:
        raise InputError(f"node {ahead[0].output}: does not begin a block of depthwise, pointwise and "
                         f"depthwise convolutions (it begins {', '.join(forms)})")
    return "block", 3


def _form(graph, node):
    if node.op != "conv2d":
        return node.op
    weight, attrs = node.attrs["weight"], node.attrs
    channels = graph.tensors[node.inputs[0]].shape[0]
    if weight.shape[1:] == (1, 3, 3) and attrs["groups"] == channels == len(weight) and attrs["pad"] == 1:
        return "depthwise"
    if weight.shape[2:] == (1, 1) and attrs["groups"] == attrs["stride"] == 1 and attrs["pad"] == 0:
        return "pointwise"
    return "another conv2d"


def _check_shortcuts(first, pointwise, second):
    for node, source in ((first, None), (pointwise, first.inputs[0]), (second, pointwise.output)):
        if len(node.inputs) == 2 and node.inputs[1] != source:
            raise InputError(f"node {node.output}: its shortcut {node.inputs[1]} is none of a dense block")
    if len(pointwise.inputs) == 2 and first.attrs["stride"] != 1 or second.attrs["stride"] != 1:
        raise InputError(f"node {second.output}: a block has its stride in its first convolution, and "
                         "none with a shortcut to the pointwise")


def _check_level(graph, group, number):
    level = graph.detection.levels[number]
    if [node.output for node in group] != [level.classes, level.boxes]:
        raise InputError(f"node {group[0].output}: level {number} of the detector has the predictors "
                         f"{level.classes} and {level.boxes}, in this order")
