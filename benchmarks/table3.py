"""Table 3: networks with weights of a few bits, ASQ beside DoReFa.

Every convolution is quantised, the first and the final one included, from the same float checkpoint and
with the same budget for both schemes, in one of two ways:

* with ``--few-shot``, from unlabelled photographs, on the CPU: block-wise reconstruction, BN statistics
  re-estimated block by block, and on request distillation (`gluon_etinynet.reconstruct`);
* otherwise by training with labels, as the paper does (40 epochs, learning rate 0.01, cosine), on RecordIO,
  a folder, a small set as an .npz (--cifar) or scikit-learn's handwritten digits (--digits). For the two
  small sets, which have no released float network, one is trained first for each seed unless --params names
  one.

Writes metrics.json, table3.csv, lambdas.csv and, for each scheme and seed, a folder with net.params to
--save-dir. Interrupted, it goes on where it was; what is finished is not repeated.
"""

import argparse
import json
import statistics
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
from paper import comparison, value

from gluon_etinynet import cli, get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.augment import views
from gluon_etinynet.data.datasets import cifar_npz, digits, imagenet_classes
from gluon_etinynet.data.images import index_folder, pictures_below
from gluon_etinynet.data.sources import ArraySource, FolderSource, Loading, RecordSource
from gluon_etinynet.files import InputError, atomic_path, sha256, write_csv, write_json
from gluon_etinynet.integer.packing import pack
from gluon_etinynet.model_zoo import released_checkpoint
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.quantize.operators import asq_clamp, dorefa_clamp
from gluon_etinynet.quantize.qat import prepare_qat, quantised_convolutions
from gluon_etinynet.quantize.reconstruct import distil, reconstruct
from gluon_etinynet.quantize.statistics import entropy, quantisation_error
from gluon_etinynet.training import Config, contexts, divergence, evaluate_net, train

ROWS = {"etinynet1.0": "EtinyNet-1.0", "etinynet0.75": "EtinyNet-0.75"}
NAMES = {"asq": "ASQ", "dorefa": "DoReFa"}
IMAGENET_VALIDATION = 50000
VALIDATION_SIZE = 224
PACKED_BITS = (2, 3, 4, 8)
SHIFT = 4  # pixels by which pictures of --cifar are moved in training
BYTES_A_CHANNEL = 2 + 4  # an int16 multiplier and an int32 offset (docs/numerics.md)


Task = namedtuple("Task", "classes validation settings float_params learn")
Task.__doc__ = """One way of quantising, on one set of pictures.

classes : int; validation : dict of name and source; settings : dict, all that a result depends on but scheme
and seed; float_params(seed) : path of the float network; learn(float_net, net, seed, folder) : trains the
quantised `net` and returns what is to be kept of its losses.
"""


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="etinynet1.0", choices=list(ROWS), help="default: etinynet1.0")
    add("--params", help="float checkpoint (default: the released one, downloaded when not cached)")
    add("--schemes", nargs="+", default=list(NAMES), choices=list(NAMES), help="default: asq dorefa")
    add("--weight-bits", type=int, default=4, choices=range(2, 9), help="default: 4")
    add("--per-channel", action="store_true", help="a lambda for each output channel (the paper: each layer)")
    add("--no-levelling", action="store_true",
        help="leave the channels of a layer as different in size as they are, as the paper does")
    add("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    add("--val-dir", nargs="+", default=[], metavar="DIR",
        help="labelled photographs (labels.csv, or one folder for each wnid), classified among 1000 classes")
    add("--input-size", type=int, help="side of the pictures that are learnt from, in pixels (default: 224; "
                                       "160 with --few-shot, 64 with --cifar, 32 with --digits)")
    add("--batch-size", type=int, help="default: 1024; 32 with --few-shot, 64 with --cifar and --digits")
    add("--lr", type=float, help="learning rate at the start, cosine to zero (default: 0.01; with "
                                 "--few-shot 0.02, relative to the size of each parameter)")
    add("--num-gpus", type=int, default=0, help="default: 0, the CPU")
    add("-j", "--num-workers", type=int, default=2, help="threads that read pictures (default: 2)")
    add("--save-dir", default="runs/table3", help="default: runs/table3")

    add = parser.add_argument_group("from unlabelled photographs").add_argument
    add("--few-shot", nargs="+", metavar="DIR", help="every picture below these folders")
    add("--num-images", type=int, help="use so many of them, chosen by chance (default: all)")
    add("--crops", type=int, default=4, help="random parts of each picture that are learnt from beside its centre "
                                             "(default: 4)")
    add("--steps", type=int, default=1000, help="updates of each block (default: 1000)")
    add("--lambda-lr", type=float, default=1, help="learning rate of lambda, times --lr (default: 1)")
    add("--damping", type=float, default=0.1,
        help="weight of the distance of weights from their levels, which keeps them off the boundaries between "
             "levels (default: 0.1)")
    add("--distil-epochs", type=int, default=0, help="epochs of distillation after that (default: 0)")
    add("--distil-lr", type=float, default=1e-4, help="its learning rate, relative as well (default: 1e-4)")

    add = parser.add_argument_group("with labels").add_argument
    add("--rec-train", help="training .rec file")
    add("--rec-val", help="validation .rec file")
    add("--data-dir", help="training pictures: labels.csv, or one folder for each wnid")
    add("--cifar", metavar="FILE.npz", help="CIFAR-10, or a set of its form")
    add("--digits", action="store_true", help="scikit-learn's handwritten digits")
    add("--num-epochs", type=int, default=40, help="default: 40")
    add("--float-epochs", type=int, default=15, help="of a float network that is trained (default: 15)")
    add("--float-lr", type=float, default=0.05, help="and its learning rate (default: 0.05)")
    args = parser.parse_args()

    sources = ("few_shot", "rec_train", "data_dir", "cifar", "digits")
    if sum(bool(getattr(args, source)) for source in sources) != 1:
        parser.error("give one of --few-shot DIR, --rec-train FILE, --data-dir DIR, --cifar FILE, --digits")
    if args.few_shot and args.num_gpus:
        parser.error("--few-shot runs on the CPU: no --num-gpus")
    if args.crops < 0 or args.steps < 1:
        parser.error("--crops is 0 or more, --steps 1 or more")
    if args.cifar or args.digits:
        if args.val_dir or args.rec_val:
            parser.error("--cifar and --digits have test pictures of their own: no --val-dir, no --rec-val")
    elif not args.val_dir and not args.rec_val:
        parser.error("photographs for validation are missing: --val-dir DIR, or --rec-val FILE")
    return args


def main():
    args = parse_args()
    task = few_shot(args) if args.few_shot else with_labels(args)
    results, known = [], {}
    for seed in args.seeds:  # outside, so that the schemes can be compared as soon as one seed is through
        for scheme in args.schemes:
            results.append(one_run(args, task, scheme, seed, known))
    report(args, task, results)


def few_shot(args):
    """Quantisation from unlabelled photographs, validated on the photographs of --val-dir."""
    size = given(args.input_size, 160)
    batch_size, lr = given(args.batch_size, 32), given(args.lr, 0.02)
    files = chosen(args.few_shot, args.num_images)
    print(f"reading {len(files)} photographs at {size} x {size}, {args.crops} random parts of each", flush=True)
    images = views(files, size, args.crops)
    wnids, _ = imagenet_classes()
    settings = {"images": [len(files), size], "crops": args.crops, "folders": args.few_shot, "steps": args.steps,
                "lr": lr, "lambda_lr": args.lambda_lr, "damping": args.damping, "batch_size": batch_size,
                "distil_epochs": args.distil_epochs, "distil_lr": args.distil_lr}

    def learn(float_net, net, seed, folder):
        options = {"batch_size": batch_size, "lambda_lr": args.lambda_lr, "seed": seed,
                   "state_dir": folder / "state"}
        losses = {"reconstruction": reconstruct(float_net, net, images, args.steps, lr=lr, damping=args.damping,
                                                **options)}
        if args.distil_epochs:
            losses["distillation"] = distil(float_net, net, images, args.distil_epochs, lr=args.distil_lr,
                                            **options)
            reestimate_batch_norm(net, (mx.nd.array(images[start:start + batch_size], dtype="float32")
                                        for start in range(0, len(images), batch_size)))
        return losses

    validation = photographs_of(args, VALIDATION_SIZE)
    return Task(len(wnids), validation, settings, lambda seed: released(args), learn)


def chosen(folders, count):
    """Every picture below these folders, or `count` of them chosen by chance."""
    files = [path for folder in folders for path in pictures_below(folder)]
    if count is None:
        return files
    if not 0 < count <= len(files):
        raise InputError(f"--num-images {count}: there are {len(files)} pictures")
    return [files[index] for index in np.sort(np.random.RandomState(0).permutation(len(files))[:count])]


def given(value, default):
    return default if value is None else value


def released(args):
    return args.params or released_checkpoint(args.model)


def photographs_of(args, size):
    """The validation sets of --val-dir and --rec-val, by their names."""
    wnids, _ = imagenet_classes()
    loading = Loading(32, size, classes=len(wnids), threads=args.num_workers)
    found = {Path(folder).name: FolderSource(index_folder(folder, wnids)[0], loading, strict=True)
             for folder in args.val_dir}
    if len(found) < len(args.val_dir):
        raise InputError("two folders of --val-dir have one name, which tells results apart; rename one")
    if args.rec_val:
        found[Path(args.rec_val).name] = RecordSource(args.rec_val, loading)
    return found


def with_labels(args):
    """Training with labels, on ImageNet's RecordIO or a folder, or on one of the small sets."""
    lr = given(args.lr, 0.01)
    settings = {"epochs": args.num_epochs, "lr": lr}

    def float_params(seed):
        if args.params or not (args.cifar or args.digits):
            return released(args)
        return train_float(args, classes, source(seed), validation, seed)

    if args.cifar or args.digits:
        size, batch_size = given(args.input_size, 64 if args.cifar else 32), given(args.batch_size, 64)
        data = cifar_npz(args.cifar) if args.cifar else digits(size)
        augmentation = {"shift": SHIFT, "flip": True} if args.cifar else {}
        classes, name = len(data.classes), Path(args.cifar).name if args.cifar else "digits"
        validation = {name: ArraySource(data.x_test, data.y_test, Loading(100, size, classes=classes))}

        def source(seed):
            loading = Loading(batch_size, size, train=True, seed=seed, classes=classes)
            return ArraySource(data.x_train, data.y_train, loading, **augmentation)
    else:
        size, batch_size = given(args.input_size, VALIDATION_SIZE), given(args.batch_size, 1024)
        wnids, _ = imagenet_classes()
        classes, name = len(wnids), Path(args.rec_train or args.data_dir).name
        validation = photographs_of(args, size)

        def source(seed):
            loading = Loading(batch_size, size, train=True, seed=seed, classes=classes, threads=args.num_workers)
            if args.rec_train:
                return RecordSource(args.rec_train, loading)
            return FolderSource(index_folder(args.data_dir, wnids)[0], loading)

    def learn(float_net, net, seed, folder):
        history = train(net, source(seed), next(iter(validation.values())),
                        Config(epochs=args.num_epochs, lr=lr, seed=seed), folder / "training",
                        ctx=contexts(args.num_gpus), resume=True, log_interval=0)
        return {"training": [row["training_loss"] for row in history]}

    settings.update(data=name, batch_size=batch_size, input_size=size)
    return Task(classes, validation, settings, float_params, learn)


def train_float(args, classes, source, validation, seed):
    """Train the float network of a small set; return the checkpoint of its last epoch."""
    folder = Path(args.save_dir) / f"float-seed{seed}"
    print(f"{args.model}, float, seed {seed}", flush=True)
    train(get_model(args.model, classes=classes), source, next(iter(validation.values())),
          Config(epochs=args.float_epochs, lr=args.float_lr, seed=seed), folder, ctx=contexts(args.num_gpus),
          resume=True, log_interval=0)
    return folder / f"epoch-{args.float_epochs - 1:04d}" / "net.params"


def one_run(args, task, scheme, seed, known):
    """Quantise by one scheme with one seed, or read the result if that is done.

    Returns
    -------
    dict
        Ready for JSON: scheme, seed, float and quantised (accuracies of each validation set), losses, layers
        (lambda, spread of W~, J and E), sizes, seconds, settings.
    """
    label = f"{scheme}-{args.weight_bits}bit{'-per-channel' if args.per_channel else ''}-seed{seed}"
    folder = Path(args.save_dir) / label
    params = task.float_params(seed)
    settings = dict(task.settings, model=args.model, levelling=not args.no_levelling, float=sha256(params),
                    validation=list(task.validation))
    settings = json.loads(json.dumps(settings))
    if (folder / "result.json").is_file():
        result = json.loads((folder / "result.json").read_text())
        if result["settings"] != settings:
            raise InputError(f"{folder} holds a result of other settings or data; choose another --save-dir")
        return result
    print(f"{args.model}, {label}", flush=True)
    started, ctx = time.time(), contexts(args.num_gpus)
    float_net = get_model(args.model, classes=task.classes, pretrained=params, ctx=ctx)
    if params not in known:
        known[params] = evaluated(float_net, task, ctx)
    net = get_model(args.model, classes=task.classes, pretrained=params, ctx=ctx)
    prepare_qat(net, scheme, args.weight_bits, per_channel=args.per_channel, level_channels=not args.no_levelling)
    losses = task.learn(float_net, net, seed, folder)
    with atomic_path(folder / "net.params") as temporary:
        net.save_parameters(str(temporary))
    result = {"scheme": scheme, "seed": seed, "settings": settings, "losses": losses,
              **accuracies(known[params], evaluated(net, task, ctx)), "layers": layers_of(net, scheme),
              "sizes": sizes(net, scheme, args.weight_bits), "seconds": time.time() - started}
    write_json(folder / "result.json", result)
    for name, found in result["quantised"].items():
        before = result["float"][name]["top1"]
        print(f"{label}: top-1 {found['top1']:.2f} on {name}, float {before:.2f}", flush=True)
    return result


def evaluated(net, task, ctx):
    """What `evaluate_net` says of each validation set."""
    net.hybridize()
    return {name: evaluate_net(net, source, ctx) for name, source in task.validation.items()}


def accuracies(before, after):
    """Top-1 and top-5 in per cent on each validation set; of the quantised network also the divergence in nats."""
    found = {"float": {}, "quantised": {}}
    for name, (wanted, reference) in before.items():
        for way, result in (("float", wanted), ("quantised", after[name][0])):
            found[way][name] = {"top1": 100 * result["top1"], "top5": 100 * result["top5"],
                                "samples": result["samples"]}
        found["quantised"][name]["divergence"] = divergence(reference, after[name][1])
    return found


def layers_of(net, scheme):
    """Name, mean lambda (none for DoReFa), spread of W~, J and E of every layer."""
    rows = []
    for name, layer in quantised_convolutions(net).items():
        weight, per_channel = layer.weight.data(), layer._per_channel
        lam = layer.lam.data() if scheme == "asq" else None
        clamped = dorefa_clamp(weight, per_channel) if lam is None else asq_clamp(weight, lam, per_channel)
        clamped, quantised = clamped.asnumpy(), layer.quantised_weight()
        rows.append([name, None if lam is None else float(lam.mean().asscalar()), float(clamped.std()),
                     quantisation_error(clamped, quantised), entropy(quantised)])
    return rows


def sizes(net, scheme, bits):
    """Bytes of the weights as they are packed, and of all that the integer network needs; ASQ only.

    The second adds a multiplier and an offset for each channel of a convolution, which is what BN becomes.
    """
    if scheme != "asq" or bits not in PACKED_BITS:
        return {}
    levels = [layer.integer_weight()[0] for layer in quantised_convolutions(net).values()]
    packed = sum(pack(array.reshape(len(array), -1), bits).nbytes for array in levels)
    return {"packed_bytes": packed, "total_bytes": packed + BYTES_A_CHANNEL * sum(map(len, levels))}


def report(args, task, results):
    """Print the table and write the files."""
    header = ["scheme", "network", "bits", "pictures", "seeds", "float", "quantised", "spread", "drop", "KL to float",
              "paper: float", "quantised", "drop"]
    rows, measurements = [], []
    for scheme in args.schemes:
        own = [result for result in results if result["scheme"] == scheme]
        for number, name in enumerate(task.validation):
            before = statistics.mean(result["float"][name]["top1"] for result in own)
            tops = [result["quantised"][name]["top1"] for result in own]
            top1 = statistics.mean(tops)
            apart = statistics.mean(result["quantised"][name]["divergence"] for result in own)
            rows.append([NAMES[scheme], ROWS[args.model], args.weight_bits, name, len(own), f"{before:.2f}",
                         f"{top1:.2f}", f"{statistics.stdev(tops):.2f}" if len(own) > 1 else "-",
                         f"{before - top1:.2f}", f"{apart:.3f}", *papers(args, scheme)])
            if number == 0 and is_papers_form(args):
                measurements += measured(args, task, scheme, name, own)
    title = f"Top-1 in per cent, weights of {args.weight_bits} bits in every layer" + (
        ", a lambda for each channel" if args.per_channel else "")
    print(f"\n{title}\n\n{cli.table(header, rows)}")
    packed = next((result["sizes"] for result in results if result["sizes"]), None)
    if packed:
        print(f"\nsize: weights packed {packed['packed_bytes'] / 1e6:.3f} MB, with a multiplier and an "
              f"offset for each channel {packed['total_bytes'] / 1e6:.3f} MB (the paper counts "
              f"{value('2', ROWS[args.model] + ' (4-bit)', 'size_mb')} MB at 4 bits)")
    if measurements:
        print(f"\nBeside the paper, on ImageNet\n\n{comparison(measurements)}")
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "table3.csv", header, rows)
    write_csv(save_dir / "lambdas.csv", ["scheme", "seed", "layer", "lambda", "spread", "J", "E"],
              [[result["scheme"], result["seed"], *row] for result in results for row in result["layers"]])
    write_json(save_dir / "metrics.json", {"measurements": measurements, "results": results})
    print(f"\nwritten: {save_dir}/metrics.json, table3.csv, lambdas.csv; net.params in each run's folder")


def is_papers_form(args):
    """Whether the paper has such a network: 4 bits, one lambda for a layer."""
    return args.weight_bits == 4 and not args.per_channel


def papers(args, scheme):
    """The paper's float and quantised top-1 and the drop between them, where it has them."""
    if not is_papers_form(args):
        return ["-", "-", "-"]
    row = ROWS[args.model]
    before, after = value("2", row, "top1"), value("3", f"{row} {NAMES[scheme]}", "top1")
    return [before, after, f"{before - after:.1f}"]


def measured(args, task, scheme, name, own):
    """The measurements that stand beside the paper's, of one scheme on one validation set."""
    first = own[0]["quantised"][name]
    way = (f"{task.settings['images'][0]} unlabelled photographs" if args.few_shot
           else f"{args.num_epochs} epochs on {task.settings['data']}")
    before = statistics.mean(result["float"][name]["top1"] for result in own)
    note = f"{way}; {first['samples']} pictures of {name}, float {before:.1f}; seeds: {len(own)}"
    keys = [("3", f"{ROWS[args.model]} {NAMES[scheme]}", "top1")]
    if scheme == "asq":
        keys += [("2", f"{ROWS[args.model]} (4-bit)", quantity) for quantity in ("top1", "top5")]
    return [{"table": table, "row": row, "quantity": quantity, "note": note,
             "value": statistics.mean(result["quantised"][name][quantity] for result in own),
             "comparable": not args.few_shot and first["samples"] == IMAGENET_VALIDATION}
            for table, row, quantity in keys]


if __name__ == "__main__":
    cli.run(main)
