"""The fake-quantised Gluon network (weights and 8-bit feature maps) against the interpreter, on photographs.

For a whole folder, each network left alone: how often both say the same class. Layer by layer, on some of
them: the share of a tensor's bytes that are equal and the largest difference in steps, first when each Gluon
layer is fed with the interpreter's maps (what the layer's own arithmetic does), then when it goes on with its
own, then fed again after its BN has got the multipliers and offsets of the integer network: what is left then
are ties, float32, and the shortcuts' and the average's multipliers, which Gluon has no parameters for. With
--check, exit status 1 where fewer than 99.5 % of the classes agree.
"""

import argparse
from pathlib import Path

import numpy as np

from gluon_etinynet import cli
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.images import pictures_below, read_inputs
from gluon_etinynet.files import InputError, write_csv, write_json
from gluon_etinynet.integer import run
from gluon_etinynet.integer.requantise import FRACTION_BITS
from gluon_etinynet.loading import load_checkpoint
from gluon_etinynet.lowering.from_checkpoint import calibration_pictures
from gluon_etinynet.lowering.network import calibrate_and_lower
from gluon_etinynet.quantize.qat import feature_map_quantisers, quantised_convolutions

GOAL = 99.5
HEADER = ["tensor", "values", "fed: equal, %", "most steps", "alone: equal, %", "most steps",
          "integer constants, fed: equal, %", "most steps"]


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="etinynet1.0", help="network (default: etinynet1.0)")
    parser.add_argument("--params", metavar="FILE",
                        help="checkpoint, float or quantised by ASQ (default: the released one)")
    parser.add_argument("--calib-dir", required=True, metavar="DIR",
                        help="photographs for the feature maps' ranges")
    parser.add_argument("--num-images", type=int, default=128,
                        help="how many of them to look at (default: 128)")
    parser.add_argument("--data-dir", required=True, metavar="DIR",
                        help="photographs to classify, in folders or not")
    parser.add_argument("--layers-on", type=int, default=16, metavar="N",
                        help="photographs on which layers are compared (default: 16)")
    parser.add_argument("--input-size", type=int, default=224,
                        help="side of the picture in pixels (default: 224)")
    parser.add_argument("--check", action="store_true", help=f"fail below {GOAL} %% of equal classes")
    parser.add_argument("--save-dir", default="runs/fake_quantised", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    files = pictures_below(args.data_dir)
    net, graph = fake_quantised(args.model, args.params,
                                calibration_pictures(args.calib_dir, args.num_images, args.input_size))
    same = np.concatenate([same_class(net, graph, read_inputs(batch, args.input_size))
                           for batch in cli.progress(batches(files, 8), desc="classes")])
    parts = [read_inputs(batch, args.input_size) for batch in batches(files[:args.layers_on], 4)]
    fed, alone = compare_layers(net, graph, parts, fed=True), compare_layers(net, graph, parts, fed=False)
    with_integer_constants(net, graph)
    constants = compare_layers(net, graph, parts, fed=True)
    rows = [[name, graph.tensors[name].nbytes * len(np.concatenate(parts)), *fed[name], *alone[name],
             *constants[name]] for name in fed]
    count = min(args.layers_on, len(files))
    print(f"{graph.name}, layers on {count} photographs\n\n{cli.table(HEADER, rows)}")
    share = 100 * np.mean(same)
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "fake_quantised.csv", HEADER, rows)
    write_json(save_dir / "fake_quantised.json",
               {"graph": graph.sha256(), "same_class": share, "n": len(same), "header": HEADER,
                "layers": rows})
    print(f"\nthe same class on {np.sum(same)} of {len(same)} photographs, {share:.2f} %")
    return int(args.check and share < GOAL)


def batches(files, size):
    return [files[start:start + size] for start in range(0, len(files), size)]


def fake_quantised(model, params, images):
    """Return the fake-quantised network of a checkpoint, calibrated on these pictures, and its Graph."""
    net = load_checkpoint(model, params).net
    graph = calibrate_and_lower(net, images, model)
    if not quantised_convolutions(net):
        with_integer_weights(net, graph)
    return net, graph


def with_integer_weights(net, graph):
    """Put the weights that the Graph holds into a float network."""
    attrs = {node.output: node.attrs for node in graph.nodes if node.op == "conv2d"}
    for name, parameter in net._collect_params_with_prefix().items():
        if len(parameter.shape) == 4:
            layer = attrs[name.replace(".dw2.weight", "").replace(".weight", "")]
            scales = np.array(layer["weight_quant"].scale).reshape(-1, 1, 1, 1)
            parameter.set_data(mx.nd.array(layer["weight"] * scales))


def with_integer_constants(net, graph):
    """Round the BN behind each convolution to the multipliers and offsets that the Graph holds.

    What is left to differ is float32, ties, and the shortcuts' multipliers and the average, which are no
    parameters of the Gluon network.
    """
    nodes = {node.output: node for node in graph.nodes}
    stem, *stages = net.features
    pairs = [("features.0.conv", stem.bn)]
    for s, stage in enumerate(stages, start=1):
        for b, block in enumerate(stage):
            names = (f"features.{s}.{b}.dw1", f"features.{s}.{b}.pw", f"features.{s}.{b}")
            pairs += zip(names, (block.bn1, block.bn2, block.bn3))
    for name, bn in pairs:
        node, out = nodes[name], graph.tensors[name].quant
        attrs = node.attrs
        step = graph.tensors[node.inputs[0]].quant.scale * np.array(attrs["weight_quant"].scale)
        slope = np.ldexp(attrs["multiplier"].astype(np.float64), attrs["shift"] - 16 - FRACTION_BITS)
        offset = attrs["offset"].astype(np.float64) - (1 << FRACTION_BITS >> 1)
        if len(node.inputs) == 2:
            offset += attrs["shortcut_multiplier"] * graph.tensors[node.inputs[1]].quant.zero_point
        values = {"gamma": slope * out.scale / step * np.sqrt(1 + bn._kwargs["eps"]),
                  "beta": (np.ldexp(offset, -FRACTION_BITS) - out.zero_point) * out.scale,
                  "running_mean": np.zeros_like(slope), "running_var": np.ones_like(slope)}
        for key, value in values.items():
            getattr(bn, key).set_data(mx.nd.array(value))


def same_class(net, graph, images):
    """Whether both networks say the same, for each picture."""
    ours = net(mx.nd.array(images, dtype="float32")).asnumpy()
    return ours.argmax(axis=1) == run(graph, images).argmax(axis=1)


def tensor_of(quantiser):
    """The Graph's name of what a quantiser with this structural name rounds."""
    for end, made in ((".bn1.quantiser", ".dw1"), (".bn2.quantiser", ".pw"), (".middle_quantiser", ".pw"),
                      (".bn3.quantiser", ""), (".0.pool.quantiser", ".0"), (".quantiser", "")):
        if quantiser.endswith(end):
            return quantiser[:-len(end)] + made
    raise InputError(f"the integer network has no tensor of {quantiser}")


def feature_maps(net, images, feed=None):
    """Run the Gluon network, seeing the integers that its layers make.

    Parameters
    ----------
    net : HybridBlock
    images : array of int8
    feed : dict from tensor name to array, optional
        The interpreter's trace: each layer goes on with these integers and not with its own.

    Returns
    -------
    logits : array
    made : dict from tensor name to array of int
    """
    made = {}

    def replacement(name, quantiser):
        scale, zero_point = (p.data().asscalar() for p in (quantiser.scale, quantiser.zero_point))

        def forward(x):
            rounded = type(quantiser).forward(quantiser, x)
            made[name] = np.rint(rounded.asnumpy() / scale + zero_point).astype(int)
            if feed is None:
                return rounded
            return mx.nd.array((feed[name].astype(np.float64) - zero_point) * scale)
        return forward

    quantisers = feature_map_quantisers(net)
    for path, quantiser in quantisers.items():
        quantiser.forward = replacement(tensor_of(path), quantiser)
    try:
        logits = net(mx.nd.array(images, dtype="float32")).asnumpy()
    finally:
        for quantiser in quantisers.values():
            del quantiser.forward
    return logits, made


def compare_layers(net, graph, parts, fed):
    """Compare tensor by tensor, on some batches: {name: (per cent equal, most steps)}."""
    equal, most = {}, {}
    for images in parts:
        _, trace = run(graph, images, trace=True)
        _, made = feature_maps(net, images, trace if fed else None)
        for name, values in made.items():
            steps = np.abs(trace[name].astype(int) - values)
            equal.setdefault(name, []).append(np.mean(steps == 0))
            most[name] = max(most.get(name, 0), int(steps.max()))
    return {name: (round(100 * float(np.mean(equal[name])), 3), most[name]) for name in equal}


if __name__ == "__main__":
    cli.run(main)
