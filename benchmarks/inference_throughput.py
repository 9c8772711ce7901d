"""Inference speed of the networks, hybridized against imperative, as ratios within one run.

The two are timed in turn, so that a change of the machine's speed meets both. Prints a table and writes
inference_throughput.csv and .json to --save-dir.
"""

import argparse
import statistics
import time
from pathlib import Path

from gluon_etinynet import cli, get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.quantities import BATCH, COUNT, PERIOD, SIDE
from gluon_etinynet.training import contexts

NETWORKS = ("etinynet1.0", "etinynet0.75")


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-size", type=BATCH, nargs="+", default=[1, 32], help="default: 1 32")
    parser.add_argument("--input-size", type=SIDE, default=224, help="side of the input in pixels (default: 224)")
    parser.add_argument("--num-gpus", type=int, default=0, choices=(0, 1), help="1: on a GPU (default: 0)")
    parser.add_argument("--rounds", type=COUNT, default=7, help="measurements of each (default: 7)")
    parser.add_argument("--seconds", type=PERIOD, default=1.0, help="least length of a measurement (default: 1)")
    parser.add_argument("--save-dir", default="runs/inference_throughput")
    return parser.parse_args()


def main():
    args = parse_args()
    ctx, = contexts(args.num_gpus)
    rows = []
    for name in NETWORKS:
        for batch_size in args.batch_size:
            x = mx.nd.random.randint(-128, 128, (batch_size, 3, args.input_size, args.input_size), ctx=ctx)
            x = x.astype("float32")
            nets = [network(name, ctx, hybridize) for hybridize in (True, False)]
            for net in nets:
                net(x).wait_to_read()
            pairs = [[speed(net, x, args.seconds) for net in nets] for _ in range(args.rounds)]
            hybrid, imperative = (statistics.median(side) for side in zip(*pairs))
            ratio = statistics.median(a / b for a, b in pairs)
            rows.append([name, batch_size, f"{hybrid:.1f}", f"{imperative:.1f}", f"{ratio:.2f}"])
    header = ["network", "batch", "hybridized, images/s", "imperative, images/s", "ratio"]
    print(cli.table(header, rows))
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "inference_throughput.csv", header, rows)
    write_json(save_dir / "inference_throughput.json", {"input_size": args.input_size, "device": str(ctx),
                                                        "rows": [dict(zip(header, row)) for row in rows]})


def network(name, ctx, hybridize):
    net = get_model(name)
    net.initialize(ctx=ctx)
    if hybridize:
        net.hybridize(static_alloc=True, static_shape=True)
    return net


def speed(net, x, seconds):
    """Images per second over at least so many seconds."""
    batches, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        net(x).wait_to_read()
        batches += 1
    return batches * len(x) / (time.perf_counter() - started)


if __name__ == "__main__":
    cli.run(main)
