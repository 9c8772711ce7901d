"""Train EtinyNet-SSD on Pascal VOC, or on pictures with boxes of your own, with GluonCV's flags.

    python tools/train_ssd.py --params released --dataset-root ~/.mxnet/datasets/voc --num-gpus 4
    python tools/train_ssd.py --params released --dataset custom --dataset-root DIR
    python tools/train_ssd.py --params runs/train_ssd/best.params --int8 --lr 0.0001 --epochs 10 ...

`--dataset voc` trains on VOC2007 and VOC2012 trainval and validates on VOC2007 test, folders within the
root; `--dataset custom` is one folder with JPEGImages, Annotations and ImageSets/Main/{train,val}.txt, and
its classes are those of the annotations. Optimisation, epochs and batch are those of GluonCV's train_ssd.py
but for the cosine, which the paper uses for its classifiers, and the rates.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from gluon_etinynet import cli, training
from gluon_etinynet.data import Loading
from gluon_etinynet.detection.augment import AUGMENTATIONS
from gluon_etinynet.detection.dataset import DetectionSource, require_objects
from gluon_etinynet.detection.training import detection_task, round_to_8_bits, start_detector
from gluon_etinynet.files import InputError, sole_writer, write_classes
from gluon_etinynet.flags import add_dataset_arguments, read_dataset
from gluon_etinynet.model_zoo import get_model, released_checkpoint
from gluon_etinynet.quantities import (
    BATCH,
    COUNT,
    COUNT_OR_NONE,
    EPOCHS,
    GPUS,
    MOMENTUM,
    PARTS,
    PERIOD,
    POSITIVE_RATE,
    RATE,
    SEED,
    SHARE,
    THREADS,
)

CALIBRATION_PICTURES = 128


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--network", choices=["etinynet1.0", "etinynet0.75"], default="etinynet1.0", help="backbone")
    add("--params", metavar="FILE",
        help="weights to start from: of a detector, or a classifier's for the backbone; 'released': the authors' "
             "classifier (default: random)")
    add("--int8", action="store_true",
        help="train with weights and feature maps rounded to 8 bits (linear); --params is a detector trained without")
    add_dataset_arguments(parser)
    add("--validation-part", type=SHARE, default=0, metavar="SHARE",
        help="validate on this share of the training pictures, which are then not trained on, instead of on "
             "--val-split; the choice depends on --seed alone (default: 0)")
    add("--augmentation", choices=AUGMENTATIONS, default="ssd", help="of the training pictures (default: ssd)")
    add("--batch-size", type=BATCH, default=32)
    add("-j", "--num-workers", type=THREADS, default=os.cpu_count(),
        help="threads that read pictures (default: all cores)")
    add("--epochs", type=EPOCHS, default=240)
    add("--lr", type=POSITIVE_RATE, default=0.01)
    add("--lr-mode", choices=training.LR_MODES, default="cosine")
    add("--lr-warmup", type=PERIOD,
        help="epochs in which the rate rises from zero (default: 1; of one epoch, the first half)")
    add("--features-lr-mult", type=SHARE, default=1,
        help="below 1: the backbone learns at this part of --lr, with fixed BN statistics")
    add("--frozen", type=PARTS, default=0, metavar="N",
        help="so many parts of the backbone, the stem first, then stages, stay as they are: 2 nearly halve the time")
    add("--heads-lr-mult", type=RATE, default=0.03,
        help="the heads learn at this part of --lr (default: 0.03): what they see is not normalised, and the rest "
             "learns best at a rate at which they diverge")
    add("--momentum", type=MOMENTUM, default=0.9)
    add("--wd", type=RATE, default=0.0005, help="weight decay")
    add("--mode", choices=["hybrid", "imperative"], default="hybrid")
    add("--seed", type=SEED, default=233)
    add("--num-gpus", type=GPUS, default=0, help="0: the CPU")
    add("--val-interval", type=COUNT, default=1, help="epochs from one validation to the next")
    add("--log-interval", type=COUNT_OR_NONE, default=100,
        help="batches between two lines where there is no bar; 0: none within an epoch")
    add("--logging-file", help="append the log lines to this file too")
    add("--tensorboard", metavar="DIR", help="write a TensorBoard log (needs gluon_etinynet[tensorboard])")
    add("--save-dir", default="runs/train_ssd",
        help="checkpoints, best.params, classes.txt, metrics.jsonl, training.png")
    add("--resume", action="store_true", help="go on from the newest whole checkpoint in --save-dir")
    args = parser.parse_args()
    if args.lr_warmup is None:
        args.lr_warmup = min(1, args.epochs / 2)
    if args.int8 and not args.params:
        parser.error("--int8 needs --params, a detector trained without")
    return args


def main():
    args = parse_args()
    config = training.Config(
        epochs=args.epochs, lr=args.lr, lr_mode=args.lr_mode, warmup_epochs=args.lr_warmup,
        momentum=args.momentum, wd=args.wd, features_lr_mult=args.features_lr_mult,
        heads_lr_mult=args.heads_lr_mult, frozen=args.frozen, mode=args.mode, seed=args.seed)
    ctx = training.contexts(args.num_gpus)
    with cli.open_log(args.logging_file) as log, sole_writer(args.save_dir):
        if args.validation_part:
            classes, (train,) = read_dataset(args, "train")
            train, val = kept_aside(train, args.validation_part, args.seed)
        else:
            classes, (train, val) = read_dataset(args, "train", "val")
        require_objects(val, f"--validation-part {args.validation_part:g}" if args.validation_part else "--val-split")
        log(f"{len(train)} training and {len(val)} validation pictures, {len(classes)} classes: "
            + ", ".join(classes))
        empty = sum(not len(item.boxes) for item in train)
        if empty:
            log(f"{empty} of the training pictures have no object: all of them is background")
        net = get_model(f"ssd_256_{args.network}_voc", classes=classes)
        loading = Loading(args.batch_size, net.size, classes=len(classes), threads=args.num_workers)
        source = DetectionSource(train, replace(loading, train=True, seed=args.seed), args.augmentation)
        if args.params:
            path = released_checkpoint(args.network) if args.params == "released" else args.params
            taken = start_detector(net, path)
            if args.int8 and taken != "all of it":
                raise InputError(f"{path} is not a detector of these {len(classes)} classes, which --int8 starts from; "
                                 "train one without --int8 first")
            log(f"starting from {path}: {taken}")
        if args.int8:
            pictures = DetectionSource(train[:CALIBRATION_PICTURES], loading)
            round_to_8_bits(net, [data for data, _ in pictures.epoch()])
        save_dir = Path(args.save_dir)
        write_classes(save_dir / "classes.txt", classes)
        history = training.train(
            net, source, DetectionSource(val, loading), config, save_dir, ctx, task=detection_task(),
            resume=args.resume, log=log, log_interval=args.log_interval, validation_interval=args.val_interval,
            arguments=vars(args), tensorboard=args.tensorboard)
        best = max((row for row in history if "validation_map" in row), key=lambda row: row["validation_map"])
        log(f"best: mAP {100 * best['validation_map']:.2f} % after epoch {best['epoch']}, in "
            f"{save_dir}/best.params")


def kept_aside(annotated, share, seed):
    """Part pictures by chance: those to train on, and this share to validate on, each in the order given."""
    aside = set(np.random.RandomState(seed).permutation(len(annotated))[:round(share * len(annotated))])
    return [[item for number, item in enumerate(annotated) if (number in aside) == part] for part in (False, True)]


if __name__ == "__main__":
    cli.run(main)
