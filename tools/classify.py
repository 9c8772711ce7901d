"""Name what is on photographs: the five most probable classes of each, in float."""

import numpy as np

from gluon_etinynet import InputError, cli, model_names
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.datasets import imagenet_classes
from gluon_etinynet.data.images import read_inputs
from gluon_etinynet.loading import load_checkpoint
from gluon_etinynet.quantities import CROP_RATIO, SIDE

TOP = 5


def parse_args():
    parser = cli.Parser(description=__doc__)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="photograph, of any size")
    parser.add_argument("--model", default="etinynet1.0", choices=model_names(), help="network (default: etinynet1.0)")
    parser.add_argument("--params", metavar="FILE",
                        help="checkpoint, beside it classes.txt if its classes are not ImageNet's (default: the "
                             "released one, downloaded when it is not cached)")
    parser.add_argument("--input-size", type=SIDE, default=224, help="side of the crop in pixels (default: 224)")
    parser.add_argument("--crop-ratio", type=CROP_RATIO, default=0.875,
                        help="side of the crop as a part of the resized short side (default: 0.875)")
    return parser.parse_args()


def main():
    args = parse_args()
    net, contents, _, labels = load_checkpoint(args.model, args.params)
    names = dict(zip(*imagenet_classes()))
    labels = labels or [f"class {index}" for index in range(contents.classes)]
    net.hybridize()
    unreadable = 0
    for path in args.images:
        try:
            picture = read_inputs([path], args.input_size, args.crop_ratio)
        except InputError as error:
            unreadable += 1
            print(f"{path}\n  {error}")
            continue
        logits = net(mx.nd.array(picture))
        probabilities = mx.nd.softmax(logits).asnumpy()[0]
        print(path)
        for index in np.argsort(-probabilities, kind="stable")[:TOP]:
            print(f"  {100 * probabilities[index]:5.1f} %  {described(labels[index], names)}")
    return 2 if unreadable else 0


def described(label, names):
    """A class's name; for one of ImageNet's wnids what it stands for, too."""
    return f"{names[label]} ({label})" if label in names else label


if __name__ == "__main__":
    cli.run(main)
