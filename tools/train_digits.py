"""Train EtinyNet on scikit-learn's handwritten digits: real data that needs no download.

1437 digits for training and 360 for testing, shown as 64 x 64 RGB pictures; in training moved, turned and zoomed
a little. In the last stage a map of these pictures has four pixels, so a batch says little about its mean and
variance: the BN statistics are estimated anew over an epoch at the end.

Writes checkpoints, net.params (the result), metrics.json and training.png to --save-dir. Interrupted, it goes on where
it was; a finished training is shown again and not repeated: another --save-dir starts another one.
"""

import argparse
import time
from pathlib import Path

from gluon_etinynet import cli, get_model
from gluon_etinynet.data.datasets import digits
from gluon_etinynet.data.sources import ArraySource, Loading
from gluon_etinynet.files import atomic_path, sole_writer, write_classes, write_json
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.parameters import save_net
from gluon_etinynet.quantities import BATCH, EPOCHS, POSITIVE_RATE, SEED
from gluon_etinynet.training import Config, evaluate, train

SIZE = 64
AUGMENTATION = {"shift": 1, "rotate": 10, "zoom": 0.1}  # pixels, degrees, part
WEIGHT_DECAY = 5e-4


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="etinynet1.0", help="network (default: etinynet1.0)")
    parser.add_argument("--num-epochs", type=EPOCHS, default=12, help="default: 12")
    parser.add_argument("--batch-size", type=BATCH, default=64, help="default: 64")
    parser.add_argument("--lr", type=POSITIVE_RATE, default=0.05, help="learning rate, cosine to zero (default: 0.05)")
    parser.add_argument("--seed", type=SEED, default=0, help="default: 0")
    parser.add_argument("--save-dir", default="runs/quickstart", help="default: runs/quickstart")
    return parser.parse_args()


def main():
    args = parse_args()
    with sole_writer(args.save_dir):
        train_into(Path(args.save_dir), args)


def train_into(save_dir, args):
    """Train, or go on; write the network and what it can."""
    data = digits(SIZE)
    loading = Loading(args.batch_size, train=True, seed=args.seed)
    train_source = ArraySource(data.x_train, data.y_train, loading, **AUGMENTATION)
    test_source = ArraySource(data.x_test, data.y_test, Loading(120))
    net = get_model(args.model, classes=len(data.classes))

    write_classes(save_dir / "classes.txt", data.classes)
    print(f"Training {args.model} on {train_source.samples} handwritten digits for {args.num_epochs} epochs")
    started = time.time()
    config = Config(epochs=args.num_epochs, lr=args.lr, wd=WEIGHT_DECAY, seed=args.seed)
    history = train(net, train_source, test_source, config, save_dir, resume=True, log=print_some, log_interval=0)
    reestimate_batch_norm(net, [data for data, _ in train_source.epoch(args.num_epochs)])
    with atomic_path(save_dir / "net.params") as temporary:
        save_net(net, temporary)
    result = evaluate(net, test_source)
    write_json(save_dir / "metrics.json", {
        "model": args.model, "data": "scikit-learn digits", "input_size": SIZE, "seed": args.seed,
        "epochs": args.num_epochs, "test_top1": 100 * result["top1"], "test_loss": result["loss"],
        "n": result["samples"], "training_loss": [row["training_loss"] for row in history],
        "test_top1_by_epoch": [100 * row["validation_top1"] for row in history],
        "measurements": [{"table": "floors", "row": "EtinyNet-1.0 on handwritten digits", "quantity": "top1",
                          "value": 100 * result["top1"]}] if as_described(args) else []})
    print(f"test accuracy {100 * result['top1']:.2f} % of {result['samples']} digits, {time.time() - started:.0f} s")
    print(f"written: {save_dir}/net.params, metrics.json, training.png")


def as_described(args):
    """Whether this is the training that benchmarks/floors.csv has a floor for."""
    return (args.model, args.num_epochs, args.batch_size, args.lr) == ("etinynet1.0", 12, 64, 0.05)


def print_some(line):
    """The log without its lines on speed: an epoch takes about a second."""
    if "speed:" not in line:
        print(line, flush=True)


if __name__ == "__main__":
    cli.run(main)
