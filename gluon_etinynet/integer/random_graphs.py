"""EtinyNet-shaped integer graphs with random weights, from the paper's table of channels (no MXNet)."""

import numpy as np

from ..integer import Detection, Graph, Level, Node, QuantParams, Tensor, accumulator_bound, requantise_params

# Stem channels; then stages of (dense, block widths). Stages 2, 3, 4 begin with stride 2.
ETINYNET = {
    "1.0": (32, ((False, (32,) * 4), (False, (128,) * 4), (True, (192,) * 3), (True, (256, 256, 512)))),
    "0.75": (24, ((False, (24,) * 4), (False, (96,) * 4), (True, (168,) * 3), (True, (192, 192, 384)))),
    "tiny": (4, ((False, (4,)), (False, (6, 6)), (True, (8, 8)))),
}


LIMITS = {"score_threshold": 655, "iou_threshold": 29491, "candidates": 400, "detections": 100}


def weights(rng, shape, bits):
    limit = (1 << (bits - 1)) - 1
    return rng.integers(-limit, limit + 1, shape, dtype=np.int8)


def conv_attrs(rng, source, zero_point, shape, bits=8, stride=1, groups=1, relu="none",
               shortcut_zero_point=None, out_bits=8, weight=None):
    """Attributes of a convolution of the Tensor `source` whose outputs spread over the int8 range.

    One channel in eight has a negative multiplier, one in sixteen is nearly dead (a huge one).
    """
    weight = weights(rng, shape, bits) if weight is None else weight
    outputs = shape[0]
    bias = (-source.quant.zero_point * weight.astype(np.int64).reshape(outputs, -1).sum(axis=1)
            + rng.integers(-200, 201, outputs)).astype(np.int32)
    spread = 50 * np.sqrt((weight.astype(float) ** 2).reshape(outputs, -1).sum(axis=1) + 1)
    multiplier = rng.uniform(20, 60, outputs) / spread * (1 if out_bits == 8 else 300)
    multiplier *= np.where(rng.random(outputs) < 1 / 8, -1, 1) * np.where(rng.random(outputs) < 1 / 16, 70, 1)
    shortcut = None if shortcut_zero_point is None else (rng.uniform(0.4, 1.6), shortcut_zero_point)
    params = requantise_params(multiplier, rng.uniform(-40, 40, outputs) + zero_point,
                               accumulator_bound(weight, bias), shortcut, bits=out_bits)
    return {"weight": weight, "weight_quant": QuantParams((0.01,) * outputs, 0, bits, 0), "bias": bias,
            "stride": stride, "pad": shape[2] // 2, "groups": groups, "relu": relu,
            "multiplier": params.multiplier, "shift": params.shift, "offset": params.offset,
            "shortcut_multiplier": params.shortcut_multiplier}


def etinynet_graph(width="1.0", size=224, bits=8, classes=1000, seed=0):
    rng = np.random.default_rng(seed)
    graph = Graph(f"etinynet{width}", Tensor("image", (3, size, size), QuantParams(1.0)))
    x = _backbone(graph, rng, width, bits)[-1]
    params = requantise_params([2 / (x.shape[1] * x.shape[2])], [5 - 2 * x.quant.zero_point],
                               128 * x.shape[1] * x.shape[2])
    attrs = {"multiplier": params.multiplier, "shift": params.shift, "offset": params.offset}
    x = graph.append(Node("avgpool", [x.name], "average", attrs), QuantParams(0.05, 5))
    attrs = conv_attrs(rng, x, 0, (classes, x.shape[0], 1, 1), bits, out_bits=32)
    graph.append(Node("conv2d", [x.name], "logits", attrs), QuantParams(1e-4, 0, 32))
    return graph


def ssd_graph(width="1.0", size=256, bits=8, classes=20, seed=0, **limits):
    """A detector on the last two stages, twice on the last, with six anchors a cell."""
    rng = np.random.default_rng(seed)
    graph = Graph(f"ssd_{size}_etinynet{width}", Tensor("image", (3, size, size), QuantParams(1.0)))
    levels = []

    def level(x, step):
        levels.append(predict(graph, rng, x, len(levels), classes, step, 6, bits))

    x, = _backbone(graph, rng, width, bits, stages=slice(0, -1))[-1:]
    level(x, size // x.shape[1])
    x = _backbone(graph, rng, width, bits, stages=slice(-1, None), x=x)[-1]
    level(x, size // x.shape[1])
    level(x, size // x.shape[1])
    graph.detection = Detection(tuple(levels), **{**LIMITS, **limits})
    return graph


def predict(graph, rng, x, number, classes, step, anchors, bits=8, class_spread=0.04, box_spread=0.01):
    """Append the predictors of a level: logits of some octaves, the background's the highest."""
    halves = rng.integers(step << 14, step << 17, (anchors, 2))
    # conv_attrs spreads outputs over some hundred steps of int8; here that many times 300.
    kinds = ("classes", classes + 1, class_spread, 20000), ("boxes", 4, box_spread, 0)
    for name, outputs, spread, lift in kinds:
        attrs = conv_attrs(rng, x, 0, (anchors * outputs, x.shape[0], 1, 1), bits, out_bits=32)
        attrs["multiplier"] = np.rint(attrs["multiplier"] * spread).astype(np.int16)
        attrs["offset"][::outputs] += lift
        graph.append(Node("conv2d", [x.name], f"{name}.{number}", attrs), QuantParams(2.0 ** -12, 0, 32))
    return Level(f"classes.{number}", f"boxes.{number}", step << 14, tuple(map(tuple, halves.tolist())))


def _conv(graph, rng, bits, name, source, shape, shortcut=None, **options):
    out = QuantParams(0.1, int(rng.integers(-100, 60)))
    attrs = conv_attrs(rng, source, out.zero_point, shape, bits,
                       shortcut_zero_point=shortcut.quant.zero_point if shortcut else None, **options)
    inputs = [source.name] + ([shortcut.name] if shortcut else [])
    return graph.append(Node("conv2d", inputs, name, attrs), out)


def _backbone(graph, rng, width, bits, stages=slice(None), x=None):
    """Append the stem, unless there is an `x` to go on from, and `stages`; returns the stages' outputs."""
    stem, table = ETINYNET[width]

    def conv(*args, **options):
        return _conv(graph, rng, bits, *args, **options)

    if x is None:
        x = conv("stem.conv", graph.image, (stem, 3, 3, 3), stride=2, relu="before")
        x = graph.append(Node("maxpool", [x.name], "stem", {"kernel": 2, "stride": 2}), x.quant)
    outputs = []
    for s, (dense, widths) in list(enumerate(table))[stages]:
        for b, channels in enumerate(widths):
            name, inputs, stride = f"stage{s + 1}.{b}", x.shape[0], 2 if s and not b else 1
            d = conv(name + ".dw1", x, (inputs, 1, 3, 3), stride=stride, groups=inputs)
            p = conv(name + ".pw", d, (channels, inputs, 1, 1), relu="before",
                     shortcut=x if dense and stride == 1 and inputs == channels else None)
            x = conv(name, p, (channels, 1, 3, 3), groups=channels, relu="before",
                     shortcut=p if dense else None)
        outputs.append(x)
    return outputs


def images(graph, count=1, seed=1):
    return np.random.default_rng(seed).integers(-128, 128, (count,) + graph.image.shape, dtype=np.int8)
