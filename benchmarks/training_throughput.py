"""Speed of the training loop, as ratios within one run.

Three ways to train the same network with the same batch, in turn, on pictures of --data-dir; a detector on those of
Pascal VOC's trainval below it, at its own size:

* loop: `gluon_etinynet.training.train`, reading and augmenting the pictures as it goes;
* model: the hybridized network alone, the same step on one batch that is in memory already;
* plain: the loop of a tutorial, imperative, on the same source, reading the loss after every batch.

loop / model tells what the data path costs (above 0.9 it is no bottleneck), loop / plain what the loop gains.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

from gluon_etinynet import cli, get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.images import index_folder
from gluon_etinynet.data.sources import FolderSource, Loading
from gluon_etinynet.detection.dataset import SPLITS, DetectionSource, read_voc
from gluon_etinynet.detection.ssd import VOC_CLASSES
from gluon_etinynet.detection.training import detection_task
from gluon_etinynet.files import InputError, write_csv, write_json
from gluon_etinynet.model_zoo import detector_names
from gluon_etinynet.networks.batch_norm import freeze
from gluon_etinynet.quantities import BATCH, COUNT, GPUS, PARTS, SIDE, THREADS
from gluon_etinynet.training import Config, Task, contexts, train

CONFIG = Config(epochs=2, lr=1e-3)  # the first epoch warms up, the second is timed


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True,
                        help="pictures: labels.csv, or one folder for each class; of a detector: VOC2007 and VOC2012")
    parser.add_argument("--model", default="etinynet1.0", help="default: etinynet1.0")
    parser.add_argument("--frozen", type=PARTS, default=0,
                        help="so many parts of the backbone learn nothing (default: 0)")
    parser.add_argument("--input-size", type=SIDE, nargs="+", default=[224, 64],
                        help="of a classifier (default: 224 64)")
    parser.add_argument("--batch-size", type=BATCH, default=32, help="default: 32")
    parser.add_argument("--batches", type=COUNT, default=8, help="in a measurement (default: 8)")
    parser.add_argument("--rounds", type=COUNT, default=5, help="measurements of each way (default: 5)")
    parser.add_argument("--num-gpus", type=GPUS, default=0, help="default: 0, the CPU")
    parser.add_argument("-j", "--num-workers", type=THREADS, default=2, help="threads that read pictures (default: 2)")
    parser.add_argument("--save-dir", default="runs/training_throughput")
    return parser.parse_args()


def main():
    args = parse_args()
    ctx = contexts(args.num_gpus)
    detects = args.model.lower() in detector_names()
    if detects:
        pictures = read_voc(args.data_dir, SPLITS["voc"]["train"], VOC_CLASSES)
    else:
        pictures, classes = index_folder(args.data_dir)
    wanted = args.batches * args.batch_size
    if len(pictures) < wanted:
        raise InputError(f"{args.data_dir} has {len(pictures)} pictures, {args.batches} batches of {args.batch_size} "
                         f"need {wanted}; give fewer or smaller batches")
    pictures = pictures[::len(pictures) // wanted][:wanted]
    make = DetectionSource if detects else FolderSource
    task = detection_task() if detects else Task()
    config = dataclasses.replace(CONFIG, frozen=args.frozen)
    rows = []
    for size in [256] if detects else args.input_size:
        source = make(pictures, Loading(args.batch_size, size, train=True, threads=args.num_workers,
                                        classes=len(VOC_CLASSES if detects else classes)))
        ways = (loop, model, plain)
        rounds = [[way(args.model, source, config, task, ctx) for way in ways] for _ in range(args.rounds)]
        speeds = [statistics.median(column) for column in zip(*rounds)]
        rows.append([size] + [f"{speed:.1f}" for speed in speeds]
                    + [f"{statistics.median(r[0] / r[1] for r in rounds):.2f}",
                       f"{statistics.median(r[0] / r[2] for r in rounds):.2f}"])
    header = ["input size", "loop, images/s", "model, images/s", "plain, images/s", "loop / model", "loop / plain"]
    print(cli.table(header, rows))
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "training_throughput.csv", header, rows)
    write_json(save_dir / "training_throughput.json", {
        "model": args.model, "batch_size": args.batch_size, "rows": [dict(zip(header, row)) for row in rows]})


def loop(name, source, config, task, ctx):
    """Images per second of the package's own loop."""
    with tempfile.TemporaryDirectory() as folder:
        history = train(network(name, source), source, None, config, folder, ctx, task, log=lambda line: None)
    return history[1]["samples_per_second"]


def model(name, source, config, task, ctx):
    """Images per second of the same training step on one batch in memory."""
    net, trainer = prepared(name, source, config, ctx)
    net.hybridize(static_alloc=True)
    data, label = next(source.epoch(0))
    shares = list(zip(*(mx.gluon.utils.split_and_load(array, ctx, even_split=False) for array in (data, label))))

    def step():
        with mx.autograd.record():
            losses = [task.loss(net, x, y)[0] for x, y in shares]
        mx.autograd.backward(losses)
        trainer.step(len(label))

    step()
    mx.nd.waitall()
    started = time.perf_counter()
    for _ in range(len(source)):
        step()
    mx.nd.waitall()
    return source.samples_per_epoch / (time.perf_counter() - started)


def plain(name, source, config, task, ctx):
    """Images per second of an imperative loop that waits for every batch."""
    net, trainer = prepared(name, source, config, ctx)
    for epoch in range(2):
        started = time.perf_counter()
        for data, label in source.epoch(epoch):
            x, y = data.as_in_context(ctx[0]), label.as_in_context(ctx[0])
            with mx.autograd.record():
                value = task.loss(net, x, y)[0]
            value.backward()
            trainer.step(len(label))
            value.mean().asscalar()
    return source.samples_per_epoch / (time.perf_counter() - started)


def network(name, source):
    detects = name.lower() in detector_names()
    return get_model(name, classes=VOC_CLASSES if detects else source.classes)


def prepared(name, source, config, ctx):
    net = network(name, source)
    net.initialize(ctx=ctx)
    freeze(net, config.frozen)
    options = {"learning_rate": CONFIG.lr, "momentum": CONFIG.momentum, "wd": CONFIG.wd}
    trained = [parameter for parameter in net.collect_params().values() if parameter.grad_req != "null"]
    return net, mx.gluon.Trainer(trained, "sgd", options, update_on_kvstore=False)


if __name__ == "__main__":
    cli.run(main)
