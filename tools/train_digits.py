"""Train EtinyNet on scikit-learn's handwritten digits: real data that needs no download.

1437 digits for training and 360 for testing, shown as 32 x 32 RGB pictures. Writes checkpoints, best.params,
metrics.json and training.png to --save-dir. Interrupted, it goes on where it was; a finished training is
shown again and not repeated: another --save-dir starts another one.
"""

import argparse
import time
from pathlib import Path

from gluon_etinynet import cli, get_model
from gluon_etinynet.data import ArraySource, digits
from gluon_etinynet.files import write_json
from gluon_etinynet.training import Config, evaluate, train

SIZE = 32


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="etinynet0.75", help="network (default: etinynet0.75)")
    parser.add_argument("--num-epochs", type=int, default=40, help="default: 40")
    parser.add_argument("--batch-size", type=int, default=32, help="default: 32")
    parser.add_argument("--lr", type=float, default=0.03, help="learning rate, cosine to zero (default: 0.03)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--save-dir", default="runs/quickstart", help="default: runs/quickstart")
    return parser.parse_args()


def main():
    args = parse_args()
    save_dir = Path(args.save_dir)
    data = digits(SIZE)
    train_source = ArraySource(data.x_train, data.y_train, args.batch_size, train=True, seed=args.seed)
    test_source = ArraySource(data.x_test, data.y_test, 120)
    net = get_model(args.model, classes=len(data.classes))

    print(f"Training {args.model} on {train_source.samples} handwritten digits for {args.num_epochs} epochs")
    started = time.time()
    history = train(net, train_source, test_source, Config(epochs=args.num_epochs, lr=args.lr, seed=args.seed),
                    save_dir, resume=True, log=print_some, log_interval=0)
    result = evaluate(net, test_source)
    write_json(save_dir / "metrics.json", {
        "model": args.model, "data": "scikit-learn digits", "input_size": SIZE, "seed": args.seed,
        "epochs": args.num_epochs, "test_top1": 100 * result["top1"], "test_loss": result["loss"],
        "n": result["samples"], "training_loss": [row["training_loss"] for row in history],
        "test_top1_by_epoch": [100 * row["validation_top1"] for row in history], "measurements": []})
    print(f"test accuracy {100 * result['top1']:.2f} % of {result['samples']} digits, {time.time() - started:.0f} s")
    print(f"written: {save_dir}/best.params, metrics.json, training.png")


def print_some(line):
    """The log without its lines on speed: an epoch takes about a second."""
    if "speed:" not in line:
        print(line, flush=True)


if __name__ == "__main__":
    cli.run(main)
