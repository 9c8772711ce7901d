"""Train EtinyNet on ImageNet, or on any folder of labelled pictures, with GluonCV's flags.

    python tools/train_imagenet.py --rec-train train.rec --rec-val val.rec --num-gpus 8 --save-dir runs/etinynet1.0
    python tools/train_imagenet.py --data-dir photos/train --val-dir photos/val --params released ...

The defaults are the paper's "Training details": 300 epochs, batch 1024, SGD with momentum 0.9 and weight
decay 1e-4, a cosine from learning rate 0.1, 224 pixels, random resized crop and mirroring.
"""

import argparse
import contextlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from gluon_etinynet import cli, training
from gluon_etinynet._mxnet import mx
from gluon_etinynet.cli import open_log
from gluon_etinynet.data.datasets import labels_of
from gluon_etinynet.data.images import index_folder
from gluon_etinynet.data.sources import FolderSource, Loading, RecordSource
from gluon_etinynet.files import InputError, sole_writer, write_classes
from gluon_etinynet.model_zoo import get_model, model_names, released_checkpoint
from gluon_etinynet.networks.parameters import load_features, load_parameters, read_checkpoint
from gluon_etinynet.quantities import (
    BATCH,
    COUNT,
    COUNT_OR_NONE,
    CROP_RATIO,
    EPOCHS,
    GPUS,
    MOMENTUM,
    PERIOD,
    POSITIVE_RATE,
    RATE,
    SEED,
    SHARE,
    SIDE,
    THREADS,
)
from gluon_etinynet.reading import expand

RECORDS = Path("~/.mxnet/datasets/imagenet/rec")


def parse_args():
    """The command line."""
    paper = training.Config()
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="etinynet1.0", help=f"one of {', '.join(model_names())}")
    add("--params", metavar="FILE", help="weights to start from, or 'released'; the classifier is taken over too "
                                         "if the number of classes is the same")
    add("--classes", type=COUNT, help="outputs of the network (default: the classes of the training data)")
    add("--mode", choices=["hybrid", "imperative"], default=paper.mode)
    add("--dtype", choices=["float32", "float16"], default=paper.dtype)
    data = parser.add_argument_group("data")
    add = data.add_argument
    add("--data-dir", help="training pictures: a folder with a subfolder for each class, or with labels.csv")
    add("--val-dir", help="validation pictures, likewise")
    add("--use-rec", action="store_true", help=f"train on {RECORDS}/train.rec and val.rec")
    add("--rec-train", help="training records, where they are elsewhere")
    add("--rec-train-idx", help="their index (default: beside them)")
    add("--rec-val", help="validation records")
    add("--rec-val-idx", help="their index (default: beside them)")
    add("--input-size", type=SIDE, default=224, help="pixels")
    add("--crop-ratio", type=CROP_RATIO, default=0.875, help="validation: central crop / resized short side")
    add("--color-jitter", type=SHARE, default=0.0, help="brightness, contrast, saturation by up to this part")
    add("--batch-size", type=BATCH, default=1024, help="in all, over all devices and machines")
    add("-j", "--num-workers", type=THREADS, default=os.cpu_count(),
        help="threads that read pictures (default: all cores)")
    recipe = parser.add_argument_group("training")
    add = recipe.add_argument
    add("--num-epochs", type=EPOCHS, default=paper.epochs)
    add("--optimizer", choices=["sgd", "nag"], default=paper.optimizer)
    add("--lr", type=POSITIVE_RATE, default=paper.lr, help="for the whole batch")
    add("--lr-mode", choices=training.LR_MODES, default=paper.lr_mode)
    add("--warmup-epochs", type=PERIOD, default=paper.warmup_epochs)
    add("--features-lr-mult", type=SHARE, default=paper.features_lr_mult,
        help="below 1: all but the classifier learns at this part of --lr, with fixed BN statistics (fine-tuning)")
    add("--momentum", type=MOMENTUM, default=paper.momentum)
    add("--wd", type=RATE, default=paper.wd, help="weight decay")
    add("--no-wd", action="store_true", help="no weight decay on biases, gamma and beta")
    add("--seed", type=SEED, default=paper.seed)
    add("--num-gpus", type=GPUS, default=0, help="0: the CPU")
    add("--kvstore", choices=["local", "device", "dist_sync", "dist_device_sync"], default="device",
        help="how gradients are added up; dist: by recipes/train_distributed.sh")
    output = parser.add_argument_group("output")
    add = output.add_argument
    add("--save-dir", default="runs/train_imagenet", help="checkpoints, metrics.jsonl, training.png")
    add("--resume", action="store_true", help="go on from the newest whole checkpoint in --save-dir")
    add("--logging-file", help="append the log lines to this file too")
    add("--log-interval", type=COUNT_OR_NONE, default=50,
        help="batches between two lines where there is no bar; 0: none within an epoch")
    add("--tensorboard", metavar="DIR", help="write a TensorBoard log (needs gluon_etinynet[tensorboard])")
    return parser.parse_args()


def make_sources(args, workers):
    """Training and validation source (or None), and the class names where the data has some."""
    if args.batch_size % workers.count:
        raise InputError(f"--batch-size {args.batch_size} must be a multiple of the {workers.count} workers")
    records = args.use_rec or args.rec_train
    if bool(records) == bool(args.data_dir):
        raise InputError("give the training data, either --rec-train (or --use-rec) or --data-dir")
    others = ["val_dir"] if records else ["rec_val", "rec_train_idx", "rec_val_idx"]
    if not (args.rec_val or args.use_rec):
        others.append("rec_val_idx")
    for name in others:
        if getattr(args, name):
            raise InputError(f"--{name.replace('_', '-')} does not go with the other data flags; leave it out")
    loading = Loading(args.batch_size // workers.count, args.input_size, train=True, seed=args.seed,
                      threads=args.num_workers, classes=args.classes, part_index=workers.rank,
                      num_parts=workers.count)
    validation, names = None, None
    if records:
        train = RecordSource(_record(args.rec_train, "train.rec"), loading, args.rec_train_idx,
                             jitter=args.color_jitter)
        names = train.labels
        rec_val = args.rec_val or args.use_rec and _record(None, "val.rec")
        if rec_val:
            validation = RecordSource(rec_val, _whole(loading, train.classes), args.rec_val_idx,
                                      crop_ratio=args.crop_ratio, strict=True)
            if names and validation.labels and validation.labels != names:
                raise InputError(f"{rec_val} has other classes than the training records; make it with make_rec.sh "
                                 "--classes, in the same order")
    else:
        files, names = index_folder(args.data_dir)
        train = FolderSource(files, replace(loading, classes=len(names)), jitter=args.color_jitter)
        if args.val_dir:
            validation = FolderSource(index_folder(args.val_dir, names)[0], _whole(loading, train.classes),
                                      crop_ratio=args.crop_ratio, strict=True)
    if names and args.classes not in (None, len(names)):
        raise InputError(f"the training pictures have {len(names)} classes with names, not the {args.classes} of "
                         "--classes; leave it out")
    return train, validation, names


def _whole(loading, classes):
    """For validation: every picture once."""
    return replace(loading, train=False, classes=classes, part_index=0, num_parts=1)


def _record(path, default):
    return path or expand(RECORDS / default)


def make_net(args, classes, names, log):
    """The network, with the weights to start from where they are given."""
    net = get_model(args.model, classes=classes)
    if not args.params:
        return net
    path = released_checkpoint(args.model) if args.params == "released" else args.params
    arrays = read_checkpoint(path)
    there = len(arrays.get("output.bias", ()))
    labels = labels_of(path, there)
    if there == classes and (names is None or labels in (None, names)):
        load_parameters(net, path)
        log(f"starting from {path}")
        return net
    load_features(net, path)
    known = copy_known_classes(net.output, arrays, labels or [], names or [])
    log(f"starting from {path}: all but the classifier, which gets {classes} classes"
        + (f", {known} of them known there" if known else ""))
    return net


def copy_known_classes(output, arrays, labels, names):
    """Start a classifier at zero, or for a class that is among the checkpoint's labels with the weights it has there.

    At zero and not at random: a random classifier's gradients would first spoil the features.
    """
    start = {name: np.zeros(parameter.shape, np.float32) for name, parameter in
             (("weight", output.weight), ("bias", output.bias))}
    known = [(index, labels.index(name)) for index, name in enumerate(names) if name in labels]
    for name, array in start.items():
        for index, there in known:
            array[index] = arrays[f"output.{name}"][there]
        parameter = getattr(output, name)
        parameter.initialize(mx.init.Zero())
        parameter.set_data(mx.nd.array(array))
    return len(known)


def main():
    """Train, from the start or from a checkpoint."""
    args = parse_args()
    config = training.Config(
        epochs=args.num_epochs, lr=args.lr, lr_mode=args.lr_mode, warmup_epochs=args.warmup_epochs,
        momentum=args.momentum, wd=args.wd, no_wd=args.no_wd,
        features_lr_mult=args.features_lr_mult, optimizer=args.optimizer, dtype=args.dtype,
        mode=args.mode, seed=args.seed)
    ctx = training.contexts(args.num_gpus)
    if args.dtype == "float16" and not args.num_gpus:
        raise InputError("--dtype float16 needs --num-gpus: MXNet multiplies no float16 matrices on the CPU")
    with training.open_workers(args.kvstore) as workers:
        first = workers.rank == 0
        alone = sole_writer(args.save_dir) if first else contextlib.nullcontext()
        with open_log(args.logging_file if first else None) as log, alone:
            train, validation, names = make_sources(args, workers)
            net = make_net(args, train.classes, names, log if first else lambda line: None)
            if names and first:
                write_classes(Path(args.save_dir) / "classes.txt", names)
            history = training.train(
                net, train, validation, config, args.save_dir, ctx, workers=workers, resume=args.resume, log=log,
                log_interval=args.log_interval, arguments=dict(vars(args), class_names=names),
                tensorboard=args.tensorboard)
            validated = [row for row in history if "validation_top1" in row]
            if validated and first:
                best = max(validated, key=lambda row: row["validation_top1"])
                log(f"best: top-1 {100 * best['validation_top1']:.2f} %, top-5 {100 * best['validation_top5']:.2f} % "
                    f"after epoch {best['epoch']}, in {args.save_dir}/best.params")


if __name__ == "__main__":
    cli.run(main)
