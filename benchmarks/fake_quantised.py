"""The fake-quantised Gluon network (weights and 8-bit feature maps) against the interpreter, on photographs.

For a whole folder, each network left alone: how often both say the same class. Layer by layer, on some of
them: the share of a tensor's bytes that are equal and the largest difference in steps, first when each Gluon
layer is fed with the interpreter's maps (what the layer's own arithmetic does: docs/numerics.md says where it
may round otherwise), then when it goes on with its own. With --check, exit status 1 where fewer than 99.5 %
of the classes agree.
"""

import argparse
from pathlib import Path

import numpy as np

from gluon_etinynet import cli
from gluon_etinynet._mxnet import mx
from gluon_etinynet.deploy import calibration_pictures, load_checkpoint
from gluon_etinynet.files import InputError, write_csv, write_json
from gluon_etinynet.images import EXTENSIONS, preprocess, read_image
from gluon_etinynet.integer import run
from gluon_etinynet.lower import calibrate_and_lower
from gluon_etinynet.qat import feature_map_quantisers, quantised_convolutions

GOAL = 99.5
HEADER = ["tensor", "values", "fed: equal, %", "most steps", "alone: equal, %", "most steps"]


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="etinynet1.0", help="network (default: etinynet1.0)")
    parser.add_argument("--params", metavar="FILE",
                        help="checkpoint, float or quantised by ASQ (default: the released one)")
    parser.add_argument("--calib-dir", required=True, metavar="DIR",
                        help="photographs for the feature maps' ranges")
    parser.add_argument("--num-images", type=int, default=256,
                        help="how many of them to look at (default: 256)")
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
    files = sorted(path for path in Path(args.data_dir).rglob("*") if path.suffix.lower() in EXTENSIONS)
    if not files:
        raise InputError(f"{args.data_dir} holds no photographs ({', '.join(EXTENSIONS)})")
    net, graph = fake_quantised(args.model, args.params,
                                calibration_pictures(args.calib_dir, args.num_images, args.input_size))
    same = np.concatenate([same_class(net, graph, pictures(batch, args.input_size))
                           for batch in cli.progress(batches(files, 8), desc="classes")])
    layers = compare_layers(net, graph, [pictures(batch, args.input_size)
                                         for batch in batches(files[:args.layers_on], 4)])
    rows = [[name, *row] for name, row in layers.items()]
    count = min(args.layers_on, len(files))
    print(f"{graph.name}, layers on {count} photographs\n\n{cli.table(HEADER, rows)}")
    share = 100 * np.mean(same)
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "fake_quantised.csv", HEADER, rows)
    write_json(save_dir / "fake_quantised.json",
               {"graph": graph.sha256(), "same_class": share, "n": len(same), "layers": layers})
    print(f"\nthe same class on {np.sum(same)} of {len(same)} photographs, {share:.2f} %")
    return int(args.check and share < GOAL)


def batches(files, size):
    return [files[start:start + size] for start in range(0, len(files), size)]


def pictures(files, size):
    """int8, shape (n, 3, size, size)."""
    return np.stack([preprocess(read_image(path), size).transpose(2, 0, 1) for path in files])


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


def compare_layers(net, graph, parts):
    """Compare tensor by tensor: {name: the columns of HEADER after the first}."""
    seen = {}
    for images in parts:
        _, trace = run(graph, images, trace=True)
        made = [feature_maps(net, images, feed)[1] for feed in (trace, None)]
        for name in made[0]:
            steps = [np.abs(trace[name].astype(int) - of[name]) for of in made]
            count = seen.setdefault(name, [0, 0, 0, 0, 0])
            count[0] += steps[0].size
            for position, step in zip((1, 3), steps):
                count[position] += int(np.sum(step == 0))
                count[position + 1] = max(count[position + 1], int(step.max()))
    return {name: [n, round(100 * fed / n, 3), most, round(100 * alone / n, 3), far]
            for name, (n, fed, most, alone, far) in seen.items()}


if __name__ == "__main__":
    cli.run(main)
