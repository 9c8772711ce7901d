"""The paper's two ablations: inverted bottlenecks instead of LB and DLB, ReLU after the depthwise convolution.

Each variant is trained from scratch with the same settings and several seeds on CIFAR-10 (or a set of its
form, an .npz of x_train, y_train, x_test, y_test, classes), and compared with EtinyNet by test accuracy at
the last epoch. The paper's figures, beside it, are on ImageNet.

Interrupted, it goes on where it was: each training resumes from its own folder.
"""

import argparse
import statistics
from pathlib import Path

from gluon_etinynet import cli, get_model
from gluon_etinynet.data.datasets import cifar_npz
from gluon_etinynet.data.sources import ArraySource, Loading
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.networks.complexity import measure
from gluon_etinynet.quantities import BATCH, EPOCHS, GPUS, POSITIVE_RATE, SEED, SIDE
from gluon_etinynet.report.paper import comparison
from gluon_etinynet.training import Config, contexts, train

PAPER_ROWS = {"bottleneck": "EtinyNet with inverted bottlenecks", "nonlinear": "EtinyNet with ReLU after depthwise"}
SHIFT = 4  # pixels of the original pictures, with mirroring the usual augmentation of CIFAR-10


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="CIFAR-10 as .npz")
    parser.add_argument("--model", default="etinynet0.75", choices=("etinynet1.0", "etinynet0.75"),
                        help="the network whose variants are compared (default: etinynet0.75)")
    parser.add_argument("--seeds", type=SEED, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--num-epochs", type=EPOCHS, default=10, help="default: 10")
    parser.add_argument("--batch-size", type=BATCH, default=64, help="default: 64")
    parser.add_argument("--lr", type=POSITIVE_RATE, default=0.1, help="learning rate, cosine to zero (default: 0.1)")
    parser.add_argument("--input-size", type=SIDE, default=64, help="side to which pictures are enlarged (default: 64)")
    parser.add_argument("--num-gpus", type=GPUS, default=0, help="default: 0, the CPU")
    parser.add_argument("--save-dir", default="runs/ablations", help="default: runs/ablations")
    return parser.parse_args()


def main():
    args = parse_args()
    data = cifar_npz(args.data)
    save_dir = Path(args.save_dir)
    variants = [args.model] + [f"{args.model}_{kind}" for kind in PAPER_ROWS]
    accuracy = {name: {} for name in variants}
    for seed in args.seeds:  # outside, so that all variants can be compared as soon as one seed is through
        for name in variants:
            accuracy[name][seed] = train_one(args, data, name, seed, save_dir / f"{name}-seed{seed}")

    header = ["network", "params", "MAdds", "seeds", "top-1", "spread", "against EtinyNet", "spread of it"]
    rows, measurements = [], []
    for name in variants:
        counts = measure(get_model(name, classes=len(data.classes)), args.input_size)
        found = list(accuracy[name].values())
        changes = [accuracy[name][seed] - accuracy[args.model][seed] for seed in args.seeds]
        rows.append([name, f"{counts.params:,}", f"{counts.madds:,}", len(found), f"{statistics.mean(found):.2f}",
                     f"{spread(found):.2f}", f"{statistics.mean(changes):+.2f}", f"{spread(changes):.2f}"])
        if name != args.model:
            measurements.append({
                "table": "text", "row": PAPER_ROWS[name.rsplit("_", 1)[1]], "quantity": "top1_change",
                "value": statistics.mean(changes), "comparable": False,
                "note": f"{args.model} on {Path(args.data).name} at {args.input_size} px, {args.num_epochs} epochs, "
                        f"{len(args.seeds)} seeds, spread {spread(changes):.2f}"})
    as_described = (args.model, args.num_epochs, args.batch_size, args.lr, args.input_size, len(data.y_train)) \
        == ("etinynet0.75", 10, 64, 0.1, 64, 8000)
    floors = [{"table": "floors", "row": "EtinyNet-0.75 on 8000 pictures of CIFAR-10, 10 epochs at 64 px",
               "quantity": "top1", "value": statistics.mean(accuracy[args.model].values())}] if as_described else []
    print(f"\nTest accuracy in per cent after {args.num_epochs} epochs (mean and standard deviation over the seeds)\n")
    print(cli.table(header, rows))
    print("\nBeside the paper, on ImageNet\n")
    print(comparison(measurements))
    write_csv(save_dir / "ablations.csv", header, rows)
    write_json(save_dir / "metrics.json", {"top1": accuracy, "settings": vars(args),
                                          "measurements": measurements + floors})


def train_one(args, data, name, seed, folder):
    """Train one network, or go on with it; return its test accuracy in per cent."""
    loading = Loading(args.batch_size, args.input_size, train=True, seed=seed)
    train_source = ArraySource(data.x_train, data.y_train, loading, shift=SHIFT, flip=True)
    test_source = ArraySource(data.x_test, data.y_test, Loading(100, args.input_size))
    print(f"{name}, seed {seed}")
    history = train(get_model(name, classes=len(data.classes)), train_source, test_source,
                    Config(epochs=args.num_epochs, lr=args.lr, seed=seed), folder, ctx=contexts(args.num_gpus),
                    resume=True, log_interval=0)
    return 100 * history[-1]["validation_top1"]


def spread(values):
    """Standard deviation of a sample; of a single value there is none."""
    return statistics.stdev(values) if len(values) > 1 else float("nan")


if __name__ == "__main__":
    cli.run(main)
