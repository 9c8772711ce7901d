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
from gluon_etinynet.data.images import pictures_below, read_inputs
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.loading import load_checkpoint
from gluon_etinynet.lowering.compare import compare_layers, same_class, with_integer_constants
from gluon_etinynet.lowering.from_checkpoint import calibration_pictures
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.quantities import COUNT, SIDE
from gluon_etinynet.quantize.ptq import quantise

GOAL = 99.5
HEADER = ["tensor", "values", "fed: equal, %", "most steps", "alone: equal, %", "most steps",
          "integer constants, fed: equal, %", "most steps"]


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="etinynet1.0", help="network (default: etinynet1.0)")
    parser.add_argument("--params", metavar="FILE",
                        help="checkpoint, float or quantised by ASQ (default: the released one)")
    parser.add_argument("--calib-dir", required=True, metavar="DIR",
                        help="photographs for the feature maps' ranges")
    parser.add_argument("--num-images", type=COUNT, default=128,
                        help="how many of them to look at (default: 128)")
    parser.add_argument("--data-dir", required=True, metavar="DIR",
                        help="photographs to classify, in folders or not")
    parser.add_argument("--layers-on", type=COUNT, default=16, metavar="N",
                        help="photographs on which layers are compared (default: 16)")
    parser.add_argument("--input-size", type=SIDE, default=224,
                        help="side of the picture in pixels (default: 224)")
    parser.add_argument("--check", action="store_true", help=f"fail below {GOAL} %% of equal classes")
    parser.add_argument("--save-dir", default="runs/fake_quantised", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    files = pictures_below(args.data_dir)
    net = quantise(load_checkpoint(args.model, args.params).net,
                   calibration_pictures(args.calib_dir, args.num_images, args.input_size))
    graph = lower(net, (args.input_size, args.input_size), args.model)
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


if __name__ == "__main__":
    cli.run(main)
