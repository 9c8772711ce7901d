"""From your own pictures to firmware: training, 8 or 4 bits, integer network, C, and its place in a microcontroller.

    python tools/deploy.py --data-dir MINE --val-dir VAL --mcu stm32f746 --out firmware
    python tools/deploy.py --dataset-root DIR --mcu stm32h743 --out firmware -- --epochs 30

MINE and VAL have a subfolder of pictures for each class (or a labels.csv), and the network tells these classes apart;
DIR is laid out as Pascal VOC (JPEGImages, Annotations, ImageSets/Main/{train,val}.txt), and the network finds what is
annotated. Every step is a tool of this folder, called as it is printed; what stands behind `--` goes to the training
(tools/train_imagenet.py or tools/train_ssd.py), which starts from the released weights. Interrupted, the same command
goes on. --out gets

    c/                         the network in C, to be dropped into a project
    network.npz, classes.txt   the integer network, and the names of its classes
    deploy.md, .csv, .json     its accuracy in float, quantised (of 4 bits: the weights alone), and in integers; memory
    work/                      the training, and all that a resumed command needs; may be removed afterwards

The exit status is 1 if the network does not fit into the microcontroller.
"""

import argparse
import hashlib
import json
import shlex
import shutil
import sys
from collections import Counter, namedtuple
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.images import index_folder
from gluon_etinynet.export.c.program import MCUS, DoesNotFit, make, raw, simulate, sizes
from gluon_etinynet.files import sha256, sole_writer, write_classes, write_csv, write_json, write_text
from gluon_etinynet.integer import Graph
from gluon_etinynet.quantities import SIDE, Quantity
from gluon_etinynet.reading import classes_beside, read_json
from gluon_etinynet.steps import Step, run_steps

TOOLS = Path(__file__).resolve().parent
MODELS = ("etinynet1.0", "etinynet0.75")
# As recipes/finetune.sh and finetune_ssd.sh.
TRAINING = ("--params", "released", "--lr", "0.002", "--features-lr-mult", "0.1", "--warmup-epochs", "0.5",
            "--num-epochs", "2", "--log-interval", "10")
TRAINING_SSD = ("--params", "released", "--lr", "0.005", "--epochs", "60", "--augmentation", "ssd",
                "--val-interval", "5")
BATCH, BATCH_SSD = 64, 8  # where there are as many pictures
LEARNT_FROM = 160  # pixels: by ASQ, which needs no larger pictures
MORE = "nothing is learnt from one, give some dozens of each class"
DIGITS = 16  # of a SHA-256
# Flags of the training that follow from this tool's own.
OURS = ("--data-dir", "--val-dir", "--use-rec", "--rec-train", "--rec-val", "--classes", "--dataset", "--dataset-root",
        "--train-split", "--val-split", "--model", "--network", "--int8", "--input-size", "--save-dir", "--resume")

Accuracy = namedtuple("Accuracy", "quantity float quantised integer pictures")
Memory = namedtuple("Memory", "flash static stack fits")  # bytes; None where it was not measured


def parse_args():
    """The command line, and what stands behind its `--`."""
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data-dir", metavar="MINE", help="training pictures by class; the quantisation learns from them too")
    add("--val-dir", metavar="VAL", help="pictures of the same classes, on which accuracy is measured")
    add("--dataset-root", metavar="DIR", help="pictures with boxes instead, for a detector")
    add("--mcu", required=True, metavar="NAME", help=f"one of {', '.join(MCUS)}")
    add("--out", required=True, metavar="DIR", help="folder to write")
    add("--model", default=MODELS[0], help=f"one of {', '.join(MODELS)} (default: %(default)s)")
    add("--params", metavar="FILE", help="a float checkpoint with these classes: nothing is trained")
    add("--weight-bits", type=int, choices=(4, 8), default=8, help="8, or 4 by ASQ for a classifier (default: 8)")
    add("--input-size", type=Quantity(32, SIDE.high),
        help="side of a classifier's pictures in pixels, 32 at least (default: 224)")
    words, training = sys.argv[1:], []
    if "--" in words:
        words, training = words[:words.index("--")], words[words.index("--") + 1:]
    args = parser.parse_args(words)
    check(args, training)
    return args, training


def check(args, training):
    """Refuse flags that do not serve before anything is read or written."""
    if bool(args.dataset_root) == bool(args.data_dir) or bool(args.data_dir) != bool(args.val_dir):
        raise InputError("give either --data-dir MINE with --val-dir VAL, or --dataset-root DIR for a detector")
    if args.mcu not in MCUS:
        raise InputError(f"--mcu {args.mcu} is not known; there are: {', '.join(MCUS)}")
    if args.model not in MODELS:
        raise InputError(f"--model {args.model}: it must be one of {', '.join(MODELS)}")
    if args.dataset_root and (args.weight_bits != 8 or args.input_size is not None):
        raise InputError("a detector has weights of 8 bits and pictures of 256 pixels: leave out --weight-bits and "
                         "--input-size")
    if args.params and training:
        raise InputError(f"{shlex.join(training)}: nothing is trained with --params; leave out what stands behind --")
    for word in training:
        if word.split("=")[0] in OURS:
            raise InputError(f"{word} does not go behind --: it follows from the other flags")


def main():
    args, training = parse_args()
    out = Path(args.out)
    task = Detector(args) if args.dataset_root else Classifier(args)
    settings = {"--model": args.model, "--mcu": args.mcu, "--weight-bits": args.weight_bits,
                "--input-size": task.size, "training": shlex.join(training),
                "--params": args.params and check_checkpoint(args.params, task), "set of pictures": task.digest}
    with sole_writer(out):
        run_steps(out, task.steps(out, training), settings)
        return report(args, out, task)


def check_checkpoint(path, task):
    """Return the SHA-256 of a checkpoint, which must be in float and of these classes."""
    from gluon_etinynet.networks.parameters import contents_of, read_checkpoint

    contents, names = contents_of(read_checkpoint(path), path), classes_beside(path)
    if contents.detector != isinstance(task, Detector) or contents.scheme:
        raise InputError(f"{path} is no float checkpoint of a {type(task).__name__.lower()}; give another --params")
    if contents.classes != len(task.classes) or names not in (None, task.classes):
        there = ", ".join(names or [f"{contents.classes} classes"])
        raise InputError(f"{path} is made for {there}, the pictures show {', '.join(task.classes)}; give its own "
                         "pictures, or leave out --params")
    return sha256(path)[:DIGITS]


# ---- What is to be done ----

class Classifier:
    """Pictures by class: their names, a digest of the pictures, the steps, and the accuracies that these measured."""

    def __init__(self, args):
        self.args, self.size = args, args.input_size or 224
        files, self.classes = index_folder(args.data_dir)
        others, names = index_folder(args.val_dir)
        if len(self.classes) < 2:
            raise InputError(f"{args.data_dir} holds one class, {self.classes[0]}; there is nothing to tell it from")
        if names != self.classes:
            odd = sorted(set(names) ^ set(self.classes))[0]
            raise InputError(f"{args.val_dir} and {args.data_dir} must hold the same classes; {odd} is in one of them "
                             "only")
        counts = Counter(names[index] for _, index in files)
        rarest = min(names, key=counts.get)
        if counts[rarest] < 2:
            raise InputError(f"{args.data_dir} holds a single picture of {rarest}; {MORE}")
        self.batch = min(BATCH, len(files))
        self.digest = digest((part, names[index], path.name, path.stat().st_size)
                             for part, found in (("train", files), ("val", others)) for path, index in found)

    def steps(self, out, training):
        args, work, graph = self.args, out / "work", out / "network.npz"
        net = ["--model", args.model, "--input-size", self.size]
        params = args.params or work / "train" / "best.params"
        if not args.params:
            yield Step("training", [
                TOOLS / "train_imagenet.py", "--batch-size", self.batch, *TRAINING, *training, *net, "--data-dir",
                args.data_dir, "--val-dir", args.val_dir, "--save-dir", params.parent, "--resume"], [params])
        quantised, linear = work / "quantised" / "net.params", args.weight_bits == 8
        yield Step("quantisation", [
            TOOLS / "quantize.py", "--model", args.model, "--params", params, "--scheme", "linear" if linear else "asq",
            "--weight-bits", args.weight_bits, "--input-size", self.size if linear else min(self.size, LEARNT_FROM),
            "--val-size", self.size, "--photographs", args.data_dir, "--val-dir", args.val_dir, "--save-dir",
            quantised.parent], [quantised, quantised.with_name("result.json")])
        ranges = [] if linear else ["--calib-dir", args.data_dir]  # of the feature maps, which ASQ leaves in float
        yield Step("integer network", [
            TOOLS / "make_graph.py", *net, "--params", quantised, *ranges, "--out", graph], [graph])
        yield Step("accuracy, integer", [
            TOOLS / "eval_graph.py", "--graph", graph, "--data-dir", args.val_dir, "--save-dir", work / "integer"],
            [work / "integer" / "metrics.json"])
        yield export(graph, args.mcu, out)

    def accuracy(self, work):
        result, integer = read(work / "quantised" / "result.json"), read(work / "integer" / "metrics.json")
        (before,), (after,) = result["float"].values(), result["quantised"].values()
        return Accuracy("top-1", before["top1"], after["top1"], integer["top1"], integer["n"])


class Detector:
    """Pictures with boxes, as `Classifier`."""

    size = 256

    def __init__(self, args):
        from gluon_etinynet.detection.dataset import classes_of, read_voc

        self.args, self.classes = args, classes_of(args.dataset_root, "train,val")
        train, val = (read_voc(args.dataset_root, part, self.classes) for part in ("train", "val"))
        self.count = len(train)
        if self.count < 2:
            raise InputError(f"{args.dataset_root} holds a single training picture; {MORE}")
        self.digest = digest((part, item.path.name, item.path.stat().st_size, self.classes, item.boxes.tolist())
                             for part, found in (("train", train), ("val", val)) for item in found)

    def steps(self, out, training):
        args, work, graph = self.args, out / "work", out / "network.npz"
        net = ["--model", f"ssd_256_{args.model}_voc"]
        data = ["--dataset", "custom", "--dataset-root", args.dataset_root]
        params = args.params or work / "train" / "best.params"
        if not args.params:
            yield Step("training", [
                TOOLS / "train_ssd.py", "--batch-size", min(BATCH_SSD, self.count), *TRAINING_SSD, *training,
                "--network", args.model, *data, "--save-dir", params.parent, "--resume"], [params])

        def accuracy(form, *detector):
            return Step(f"accuracy, {form}", [
                TOOLS / "eval_ssd.py", *detector, *data, "--classes", ",".join(self.classes), "--save-dir",
                work / form], [work / form / "metrics.json"])

        yield accuracy("float", "--params", params)
        quantised = work / "quantised" / "net.params"
        yield Step("quantisation", [
            TOOLS / "quantize.py", *net, "--params", params, "--scheme", "linear", "--photographs",
            Path(args.dataset_root) / "ImageSets" / "Main" / "train.txt", "--save-dir", quantised.parent],
            [quantised, quantised.with_name("result.json")])
        yield accuracy("quantised", "--params", quantised)
        yield Step("integer network", [
            TOOLS / "make_graph.py", *net, "--params", quantised, "--out", graph], [graph])
        yield accuracy("integer", "--graph", graph)
        yield export(graph, args.mcu, out)

    def accuracy(self, work):
        found = [read(work / form / "metrics.json") for form in Accuracy._fields[1:4]]
        return Accuracy("mAP", *(metrics["map"] for metrics in found), found[0]["n"])


def export(graph, mcu, out):
    return Step("C", [TOOLS / "export_c.py", "--graph", graph, "--mcu", mcu, "--out", out / "c", "--force"],
                [out / "c" / "report.json"])


def digest(items):
    """Tell sets of pictures apart, wherever they lie: SHA-256 of their names, sizes and labels."""
    return hashlib.sha256(json.dumps(sorted(map(list, items))).encode()).hexdigest()[:DIGITS]


def read(path):
    return read_json(path, "delete it and begin again")


# ---- What came of it ----

def measure(folder, graph, mcu):
    """What the network's demo takes of a microcontroller; what could not be measured is said."""
    missing = [name for name in ("make", "arm-none-eabi-gcc") if not shutil.which(name)]
    if missing:
        print(f"skipped: flash and RAM of the {mcu}, because {missing[0]} is not installed (on Debian and Ubuntu: "
              "apt-get install make gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm); then give the same "
              "command again")
        return Memory(None, None, None, None)
    for cflags, argument, fits in (("-O2", "", "yes"),
                                   ("-O2 -DPUSHED_ONLY", "--pushed", "yes, if the image comes by rows")):
        try:
            stack, (flash, static) = None, sizes(folder, mcu, cflags)
            if shutil.which("qemu-system-arm"):
                image = np.random.default_rng(1).integers(-128, 128, Graph.load(graph).image.shape, np.int8)
                stack = simulate(folder, mcu, raw(image), cflags, argument).stack
            else:
                print("skipped: the stack, because qemu-system-arm is not installed")
            return Memory(flash, static, stack, fits)
        except DoesNotFit as error:
            reason = error.reason
        finally:
            make(folder, "clean")
    return Memory(None, None, None, f"no ({reason})")


def report(args, out, task):
    """Print the table and write the files; return the exit status."""
    accuracy = task.accuracy(out / "work")
    memory = measure(out / "c", out / "network.npz", args.mcu)
    mcu = MCUS[args.mcu]
    header = ["microcontroller", "network", "input", "weights, bits", f"{accuracy.quantity} in float, %",
              "quantised, %", "in integers, %", "pictures", "flash, KiB", "RAM static, KiB", "stack, bytes", "RAM, KiB",
              "fits"]
    ram = None if memory.stack is None else memory.static + memory.stack
    row = [f"{args.mcu} ({mcu.flash >> 10} / {mcu.ram >> 10} KiB)", args.model, task.size, args.weight_bits,
           *(f"{value:.2f}" for value in accuracy[1:4]), accuracy.pictures, kib(memory.flash), kib(memory.static),
           "-" if memory.stack is None else memory.stack, kib(ram), memory.fits or "not measured"]
    text = cli.table(["", "measured"], zip(header, row))
    write_classes(out / "classes.txt", task.classes)
    write_text(out / "deploy.md", text + "\n")
    write_csv(out / "deploy.csv", header, [row])
    write_json(out / "deploy.json", {
        "microcontroller": args.mcu, "model": args.model, "input_size": task.size, "weight_bits": args.weight_bits,
        "classes": task.classes, "accuracy": accuracy._asdict(), "bytes": memory._asdict()})
    print(f"\n{text}\n\nwritten: {out}/c, network.npz, classes.txt, deploy.md, deploy.csv, deploy.json")
    return int((memory.fits or "").startswith("no"))


def kib(size):
    return "-" if size is None else f"{size / 1024:.1f}"


if __name__ == "__main__":
    cli.run(main)
