"""Quantise a network: a float checkpoint in, a fake-quantised checkpoint and result.json out.

    python tools/quantize.py --photographs DIR... --val-dir VAL --save-dir OUT              ASQ, 4 bits, no labels
    python tools/quantize.py --scheme linear --photographs DIR... --val-dir VAL ...         8 bits, seconds
    python tools/quantize.py --rec-train TRAIN.rec --rec-val VAL.rec --num-gpus 8 ...       by training, as the paper

Every convolution is quantised, the first and the final one included. From photographs, ASQ and DoReFa learn block by
block what the float network puts out; `linear` rounds weights and feature maps to 8 bits and fits them to that. A
detector is quantised from photographs, which it takes whole; tools/eval_ssd.py measures it. With labels the quantised
network is trained (the paper: 40 epochs, learning rate 0.01, cosine) on RecordIO, a folder, an .npz in the form of
CIFAR-10, or scikit-learn's handwritten digits; for the last two, without --params, a float network is trained first.

Writes net.params, for tools/make_graph.py, and result.json: accuracies and divergence on each validation set, losses,
and of every layer lambda, J and E. Interrupted, the same command goes on where it was; what is finished is not
repeated.
"""

import argparse
import json
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np

from gluon_etinynet import cli, get_model
from gluon_etinynet.data.augment import views
from gluon_etinynet.data.datasets import cifar_npz, digits
from gluon_etinynet.data.images import pictures_below, read_inputs, read_whole
from gluon_etinynet.data.sources import ArraySource, FolderSource, Loading, RecordSource
from gluon_etinynet.files import InputError, atomic_path, sha256, sole_writer, write_classes, write_json
from gluon_etinynet.flags import labelled_files
from gluon_etinynet.integer.packing import pack
from gluon_etinynet.loading import load_checkpoint
from gluon_etinynet.lowering.from_checkpoint import evenly
from gluon_etinynet.lowering.network import STORED_BITS
from gluon_etinynet.model_zoo import detector_names, model_names, released_checkpoint
from gluon_etinynet.networks.parameters import save_net
from gluon_etinynet.quantities import (
    BATCH,
    COUNT,
    COUNT_OR_NONE,
    EPOCHS,
    GPUS,
    POSITIVE_RATE,
    RATE,
    SEED,
    SIDE,
    THREADS,
)
from gluon_etinynet.quantize.ptq import check_pictures, quantise
from gluon_etinynet.quantize.qat import prepare_qat, quantised_convolutions
from gluon_etinynet.quantize.reconstruct import reconstruct
from gluon_etinynet.quantize.statistics import entropy, quantisation_error
from gluon_etinynet.reading import classes_beside, expand, read_record
from gluon_etinynet.training import Config, contexts, divergence, evaluate_net, train

VALIDATION_SIZE = 224
VIEWS = 10_000  # pictures that are learnt from without labels: what fits into 6 GB of memory at 160 pixels
BYTES_A_CHANNEL = 2 + 4 + 4  # an int16 multiplier, an int32 offset and an int32 bias (docs/numerics.md)
CIFAR_AUGMENTATION = {"shift": 4, "flip": True}

Task = namedtuple("Task", "settings validation learn")
Task.__doc__ = """One way of quantising, on one set of pictures.

settings : dict, all that a result depends on but scheme and seed; validation(classes) : sources by name;
learn(float_net, net) : makes `net`, which is the float network still, a quantised one, and returns its losses.
"""


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="etinynet1.0", choices=[*model_names(), *detector_names()], help="default: etinynet1.0")
    add("--params", metavar="FILE", help="float checkpoint (default: the released one, downloaded when not cached)")
    add("--scheme", default="asq", choices=["asq", "dorefa", "linear"], help="default: asq")
    add("--weight-bits", type=int, choices=range(2, 9), help="default: 4; linear has 8")
    add("--per-channel", action="store_true", help="a lambda for each output channel (the paper: each layer)")
    add("--no-balancing", action="store_true",
        help="leave the channels of a layer as different in size as they are, as the paper does")
    add("--seed", type=SEED, default=0, help="default: 0")
    add("--val-dir", nargs="+", default=[], metavar="DIR",
        help="labelled photographs (labels.csv, or one folder for each class)")
    add("--input-size", type=SIDE, help="side of the pictures that are learnt from, in pixels (default: 224 with "
                                        "linear and with labels, 160 with --photographs, 64 with --cifar, --digits)")
    add("--val-size", type=SIDE, help="side of the validation pictures (default: --input-size; 224 with --photographs "
                                     "and a scheme that learns)")
    add("--batch-size", type=BATCH, help="default: 1024; 32 with --photographs, 64 with --cifar and --digits")
    add("--lr", type=POSITIVE_RATE, help="learning rate at first, cosine to zero (default: 0.01; with --photographs "
                                         "0.02, relative to the size of each parameter)")
    add("--num-gpus", type=GPUS, default=0, help="default: 0, the CPU")
    add("-j", "--num-workers", type=THREADS, default=2, help="threads that read pictures (default: 2)")
    add("--save-dir", default="runs/quantize", help="default: %(default)s")

    add = parser.add_argument_group("from unlabelled photographs").add_argument
    add("--photographs", nargs="+", metavar="DIR", help="every picture below these folders, or of lists in Pascal "
                                                               "VOC's layout (ROOT/ImageSets/Main/train.txt)")
    add("--num-images", type=COUNT,
        help="use so many of them, chosen by chance (default: all), or with linear spread evenly (default: 256)")
    add("--crops", type=COUNT_OR_NONE,
        help="random parts of each picture that are learnt from beside its centre (default: 4, or fewer: 10,000 "
             "centres and parts take 4.6 GB)")
    add("--steps", type=COUNT, help="updates of each block (default: 1000)")
    add("--lambda-lr", type=RATE, help="learning rate of lambda, times --lr (default: 1)")
    add("--damping", type=RATE, help="weight of the distance of weights from their levels, which keeps them off the "
                                      "boundaries between levels (default: 0.3)")

    add = parser.add_argument_group("with labels").add_argument
    add("--rec-train", metavar="FILE", help="training .rec file")
    add("--rec-val", metavar="FILE", help="validation .rec file")
    add("--data-dir", metavar="DIR", help="training pictures: labels.csv, or one folder for each class")
    add("--cifar", metavar="FILE.npz", help="CIFAR-10, or a set of its form")
    add("--digits", action="store_true", help="scikit-learn's handwritten digits")
    add("--num-epochs", type=EPOCHS, help="default: 40")
    add("--float-dir", metavar="DIR", help="where the float network of --cifar and --digits is trained, or goes on "
                                           "(default: float-MODEL-seedN beside --save-dir)")
    add("--float-epochs", type=EPOCHS, help="of that network (default: 15)")
    add("--float-lr", type=POSITIVE_RATE, help="and its learning rate (default: 0.05)")
    args = parser.parse_args()
    check(parser, args)
    return args


FLOAT = {"float_dir": None, "float_epochs": 15, "float_lr": 0.05}
LEARNT = {"crops": None, "steps": 1000, "lambda_lr": 1.0, "damping": 0.3}


def check(parser, args):
    """Refuse flags that do not go together, and fill in the defaults that depend on others."""
    sources = ("photographs", "rec_train", "data_dir", "cifar", "digits")
    chosen = [source for source in sources if getattr(args, source)]
    if len(chosen) != 1:
        parser.error("give one of --photographs DIR, --rec-train FILE, --data-dir DIR, --cifar FILE, --digits")
    photographs, linear, small = chosen == ["photographs"], args.scheme == "linear", bool(args.cifar or args.digits)
    if linear and args.weight_bits not in (None, 8):
        parser.error(f"--scheme linear has 8 bits, not {args.weight_bits}: take asq for fewer")
    if linear and not photographs:
        parser.error("--scheme linear takes --photographs: it needs no labels")
    learnt, detector = photographs and not linear, args.model in detector_names()
    if detector and (not photographs or args.val_dir or args.val_size or args.rec_val or args.crops or
                     args.input_size):
        parser.error("a detector takes --photographs, whole and of its own size: no labels, --val-dir, --val-size, "
                     "--crops or --input-size")
    for name, default in LEARNT.items():
        if not learnt and getattr(args, name) is not None:
            parser.error(f"--{name.replace('_', '-')} goes with --photographs and a scheme that learns")
        if learnt and getattr(args, name) is None:
            setattr(args, name, default)
    if photographs and args.num_epochs is not None or not photographs and args.num_images is not None:
        parser.error("--num-epochs goes with labels, --num-images with --photographs")
    if linear and (args.lr is not None or args.per_channel or args.no_balancing):
        parser.error("--lr, --per-channel and --no-balancing are for asq and dorefa")
    if photographs and args.num_gpus:
        parser.error("--photographs runs on the CPU: no --num-gpus")
    if args.num_epochs is None:
        args.num_epochs = 40
    for name, default in FLOAT.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
        elif args.params or not small:
            parser.error(f"--{name.replace('_', '-')} is for --cifar and --digits without --params")
    if small and (args.val_dir or args.rec_val or args.val_size):
        parser.error("--cifar and --digits have test pictures of their own: no --val-dir, --rec-val or --val-size")
    if not small and not args.val_dir and not args.rec_val and not detector:
        parser.error("photographs for validation are missing: --val-dir DIR, or --rec-val FILE")
    args.weight_bits = args.weight_bits or (8 if linear else 4)
    args.input_size = args.input_size or (64 if small else 256 if detector else 160 if learnt else VALIDATION_SIZE)
    args.val_size = args.val_size or (VALIDATION_SIZE if learnt else args.input_size)
    args.batch_size = args.batch_size or (32 if photographs else 64 if small else 1024)
    args.lr = args.lr if args.lr is not None else 0.02 if photographs else 0.01


def main():
    args = parse_args()
    with sole_writer(args.save_dir):
        quantise_into(Path(args.save_dir), args)


def quantise_into(save_dir, args):
    """Write what is not in the folder yet, and print the result."""
    task = from_photographs(args) if args.photographs else with_labels(args)
    params = task.settings.pop("float")
    settings = dict(task.settings, model=args.model, scheme=args.scheme, weight_bits=args.weight_bits, seed=args.seed,
                    float=sha256(params), **form(args))
    settings["validation"] = whole([*args.val_dir, args.rec_val])
    settings["validation size"] = args.val_size
    settings = json.loads(json.dumps(settings))
    result = (read_record(save_dir / "result.json", settings, quantised=dict, float=dict)
              or run(args, task, params, settings, save_dir))
    for name, found in result["quantised"].items():
        print(f"{args.scheme}, {args.weight_bits} bits: top-1 {found['top1']:.2f} on {name}, float "
              f"{result['float'][name]['top1']:.2f}, KL {found['divergence']:.3f}", flush=True)
    print(f"written: {save_dir}/net.params, result.json")


def run(args, task, params, settings, save_dir):
    """Quantise, evaluate, write; return the result, ready for JSON."""
    started, ctx = time.time(), contexts(args.num_gpus)
    float_net, contents, _, labels = load_checkpoint(args.model, params, ctx)
    if contents.scheme or contents.has_ranges:
        raise InputError(f"{params} is quantised already; give the float checkpoint")
    validation = task.validation(contents.classes, labels) if args.model in model_names() else {}
    before = {name: evaluated(float_net, source, ctx) for name, source in validation.items()}
    net = load_checkpoint(args.model, params).net  # a training moves it to the GPUs
    losses = task.learn(float_net, net, labels)
    with atomic_path(save_dir / "net.params") as temporary:
        save_net(net, temporary)
    if classes_beside(params):
        write_classes(save_dir / "classes.txt", labels)
    saved = load_checkpoint(args.model, save_dir / "net.params").net
    result = {"scheme": args.scheme, "seed": args.seed, "settings": settings, "losses": losses,
              "float": {name: accuracies(found) for name, (found, _) in before.items()}, "quantised": {},
              "layers": layers_of(saved), "sizes": sizes(saved), "seconds": time.time() - started}
    for name, source in validation.items():
        found, logits = evaluated(net, source, ctx)
        result["quantised"][name] = dict(accuracies(found), divergence=divergence(before[name][1], logits))
    write_json(save_dir / "result.json", result)
    return result


def from_photographs(args):
    """Quantisation from unlabelled photographs."""
    params, detects = args.params or released_checkpoint(args.model), args.model in detector_names()
    files = [path for folder in args.photographs for path in pictures_below(folder)]
    if args.num_images and args.num_images > len(files):
        raise InputError(f"--num-images {args.num_images}: there are {len(files)} pictures")
    if args.scheme == "linear":
        files = evenly(files, args.num_images or 256)
        settings = {"float": params, "images": [len(files), args.input_size], "folders": whole(args.photographs)}

        def learn(_, net, labels):
            quantise(net, (read_whole if detects else read_inputs)(files, args.input_size), batch_size=args.batch_size)
            return {}

        return Task(settings, lambda classes, labels: photographs_of(args, classes, labels), learn)
    if args.num_images:
        files = [files[index] for index in np.sort(np.random.RandomState(0).permutation(len(files))[:args.num_images])]
    crops = 0 if detects else args.crops if args.crops is not None else min(4, max(0, VIEWS // len(files) - 1))
    settings = {"float": params, "images": [len(files), args.input_size], "folders": whole(args.photographs),
                "lr": args.lr, "batch_size": args.batch_size, **{name: getattr(args, name) for name in LEARNT},
                "crops": crops}

    def learn(float_net, net, labels):
        print(f"reading {len(files)} photographs at {args.input_size} x {args.input_size}, {crops} random parts "
              "of each", flush=True)
        images = read_whole(files, args.input_size) if detects else views(files, args.input_size, crops)
        check_pictures(images)
        prepare_qat(net, args.scheme, args.weight_bits, lam=None, **form(args))
        return {"reconstruction": reconstruct(float_net, net, images, args.steps, args.batch_size, args.lr,
                                              args.lambda_lr, args.damping, args.seed, Path(args.save_dir) / "state")}

    return Task(settings, lambda classes, labels: photographs_of(args, classes, labels), learn)


def form(args):
    """The options of `prepare_qat` that are not the paper's, where they are wanted."""
    return {"per_channel": args.per_channel, "balance_channels": not args.no_balancing}


def whole(paths):
    """Paths that tell files of one name apart, wherever they are given from."""
    return [str(expand(path).resolve()) for path in paths if path]


def photographs_of(args, classes, labels):
    """The validation sets of --val-dir and --rec-val, by their names."""
    loading = Loading(32, args.val_size, threads=args.num_workers, classes=classes)
    found = {Path(folder).name: FolderSource(labelled_files(folder, classes, labels), loading, strict=True)
             for folder in args.val_dir}
    if len(found) < len(args.val_dir):
        raise InputError("two folders of --val-dir have one name, which tells results apart; rename one")
    if args.rec_val:
        found[Path(args.rec_val).name] = RecordSource(args.rec_val, loading)
    return found


def with_labels(args):
    """Training with labels, on ImageNet's RecordIO or a folder, or on one of the small sets."""
    loading = Loading(args.batch_size, args.input_size, train=True, seed=args.seed, threads=args.num_workers)
    if args.cifar or args.digits:
        data = cifar_npz(args.cifar) if args.cifar else digits(args.input_size)
        name, classes = Path(args.cifar).name if args.cifar else "digits", len(data.classes)
        augmentation = CIFAR_AUGMENTATION if args.cifar else {}
        small_set = ArraySource(data.x_train, data.y_train, replace(loading, classes=classes), **augmentation)
        test_set = ArraySource(data.x_test, data.y_test, Loading(100, args.input_size, classes=classes))
        params = args.params or train_float(args, classes, small_set, test_set)

        def training_set(*_):
            return small_set

        def validation(*_):
            return {name: test_set}
    else:
        params = args.params or released_checkpoint(args.model)

        def training_set(classes, labels):
            if args.rec_train:
                return RecordSource(args.rec_train, replace(loading, classes=classes))
            return FolderSource(labelled_files(args.data_dir, classes, labels), replace(loading, classes=classes))

        def validation(classes, labels):
            return photographs_of(args, classes, labels)

    def learn(float_net, net, labels):
        classes = float_net.output.weight.shape[0]
        prepare_qat(net, args.scheme, args.weight_bits, **form(args))
        history = train(net, training_set(classes, labels), next(iter(validation(classes, labels).values())),
                        Config(epochs=args.num_epochs, lr=args.lr, seed=args.seed), Path(args.save_dir) / "training",
                        ctx=contexts(args.num_gpus), resume=True, log_interval=0)
        return {"training": [row["training_loss"] for row in history]}

    settings = {"float": params, "epochs": args.num_epochs, "lr": args.lr,
                "data": whole([args.cifar, args.rec_train, args.data_dir]) or ["digits"],
                "batch_size": args.batch_size, "input_size": args.input_size}
    return Task(settings, validation, learn)


def train_float(args, classes, source, validation):
    """Train the float network of a small set; return the checkpoint of its last epoch."""
    folder = Path(args.float_dir or Path(args.save_dir).parent / f"float-{args.model}-seed{args.seed}")
    print(f"{args.model}, float, seed {args.seed}", flush=True)
    train(get_model(args.model, classes=classes), source, validation,
          Config(epochs=args.float_epochs, lr=args.float_lr, seed=args.seed), folder, ctx=contexts(args.num_gpus),
          resume=True, log_interval=0)
    return folder / f"epoch-{args.float_epochs - 1:04d}" / "net.params"


def evaluated(net, source, ctx):
    net.hybridize()
    return evaluate_net(net, source, ctx)


def accuracies(found):
    """Top-1 and top-5 in per cent."""
    return {"top1": 100 * found["top1"], "top5": 100 * found["top5"], "samples": found["samples"]}


def layers_of(net):
    """Of every layer: name, mean lambda (ASQ), spread of W~, J and E (ASQ and DoReFa)."""
    rows = []
    for name, layer in quantised_convolutions(net).items():
        quantiser, weight = layer.weight_quantiser, layer.weight.data()
        if not hasattr(quantiser, "clamp"):
            continue
        lam = float(quantiser.lam.data().mean().asscalar()) if hasattr(quantiser, "lam") else None
        clamped, quantised = quantiser.clamp(weight).asnumpy(), layer.quantised_weight()
        rows.append([name, lam, float(clamped.std()), quantisation_error(clamped, quantised), entropy(quantised)])
    return rows


def sizes(net):
    """Bytes of the weights as they are packed, and of all that the integer network needs; not of DoReFa.

    The second adds a multiplier, an offset and a bias for each channel of a convolution, which is what BN becomes.
    """
    layers = list(quantised_convolutions(net).values())
    try:
        weights = [layer.integer_weight() for layer in layers]
    except ValueError:
        return {}
    packed = sum(pack(levels.reshape(len(levels), -1), next(b for b in STORED_BITS if b >= bits)).nbytes
                 for levels, _, bits in weights)
    return {"packed_bytes": packed, "total_bytes": packed + BYTES_A_CHANNEL * sum(len(w[0]) for w in weights)}


if __name__ == "__main__":
    cli.run(main)
