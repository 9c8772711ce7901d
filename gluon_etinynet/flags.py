"""The flags that several tools share, and what they name."""

from .files import InputError
from .quantities import BATCH, COUNT, CROP_RATIO, SIDE, THREADS

__all__ = ["add_picture_arguments", "labelled_pictures", "labelled_files", "print_unreadable",
           "add_dataset_arguments", "read_dataset", "given_classes", "add_checkpoint_arguments"]

SHOWN = 10


def add_picture_arguments(parser):
    """Give a parser the flags that `labelled_pictures` reads."""
    parser.add_argument("--data-dir",
                        help="folder with labels.csv, or with one folder of pictures for each class")
    parser.add_argument("--use-rec", action="store_true", help="read --rec-val instead of --data-dir")
    parser.add_argument("--rec-val", help="validation .rec file")
    parser.add_argument("--rec-val-idx", help="its .idx file (default: beside it)")
    parser.add_argument("--crop-ratio", type=CROP_RATIO, default=0.875,
                        help="side of the crop as a part of the resized short side (default: 0.875)")
    parser.add_argument("--batch-size", type=BATCH, default=32, help="pictures at a time (default: 32)")
    parser.add_argument("-j", "--num-workers", type=THREADS, default=2,
                        help="threads that read pictures (default: 2)")
    parser.add_argument("--strict", action="store_true", help="stop at a picture that cannot be read")


def labelled_pictures(args, size, classes, labels=None):
    """Return the source of pictures that the flags name.

    Parameters
    ----------
    args : Namespace
        Of the flags of `add_picture_arguments`; where `args.digits` exists and is true, the test digits.
    size : int
        Side of the network's input.
    classes : int
        How many the network has.
    labels : sequence of str, optional
        Their names.

    Raises
    ------
    InputError
        If the flags do not name one source, or it does not serve.
    """
    from .data.datasets import digits
    from .data.sources import ArraySource, FolderSource, Loading, RecordSource

    of_digits = getattr(args, "digits", False)
    if args.use_rec != bool(args.rec_val) or args.use_rec + bool(args.data_dir) + of_digits != 1:
        raise InputError("give one of --data-dir DIR, --use-rec with --rec-val FILE" +
                         (", --digits" if hasattr(args, "digits") else ""))
    loading = Loading(args.batch_size, size, threads=args.num_workers, classes=classes)
    if of_digits:
        data = digits(size)
        _check_classes("scikit-learn's digits", data.classes, classes, labels)
        return ArraySource(data.x_test, data.y_test, loading)
    if args.use_rec:
        source = RecordSource(args.rec_val, loading, args.rec_val_idx, crop_ratio=args.crop_ratio)
        _check_classes(args.rec_val, source.labels or range(classes), classes, source.labels and labels)
        return source
    files = labelled_files(args.data_dir, classes, labels)
    return FolderSource(files, loading, crop_ratio=args.crop_ratio, strict=args.strict)


def labelled_files(folder, classes, labels=None):
    """List the pictures of a folder with their classes' numbers in a network.

    Parameters
    ----------
    folder : str or Path
    classes : int
        How many the network has.
    labels : sequence of str, optional
        Their names, which the folder's must be among. Without them the folder's are taken in sorted order, and a
        line says so.

    Returns
    -------
    list of (Path, int)
    """
    from .data.images import index_folder

    files, names = index_folder(folder, labels)
    _check_classes(folder, names, classes, labels)
    if labels is None:
        print(f"note: the network does not tell the names of its classes; they are taken to be those of {folder}, "
              "sorted")
    return files


def _check_classes(where, names, classes, labels):
    if len(names) != classes:
        raise InputError(f"{where} has {len(names)} classes, the network {classes}; give pictures of its classes")
    if labels is not None and list(labels) != list(names):
        raise InputError(f"{where} has other classes than the network, which tells {', '.join(labels[:SHOWN])} apart")


def print_unreadable(source):
    """Name the pictures that a source left out; return what was said of them, a list of str."""
    unreadable = getattr(source, "unreadable", [])
    for complaint in unreadable[:SHOWN]:
        print(f"left out: {complaint}")
    if unreadable:
        print(f"{len(unreadable)} of {source.samples} pictures could not be read and are not counted")
    return unreadable


def add_dataset_arguments(parser, parts=("train", "val")):
    """Give a parser the flags with which `read_dataset` reads these parts."""
    from .detection.dataset import SPLITS

    add = parser.add_argument
    add("--dataset", choices=list(SPLITS), default="voc",
        help="voc: VOC2007 and VOC2012 within the root; custom: the root has JPEGImages and so on itself")
    add("--dataset-root", default="~/.mxnet/datasets/voc", help="default: %(default)s")
    text = {"train": "training", "val": "validation"}
    for part in parts:
        add(f"--{part}-split", metavar="NAME[,NAME]",
            help=f"lists in ImageSets/Main of the {text[part]} pictures (voc: {SPLITS['voc'][part]}; custom: {part})")
    add("--classes", metavar="NAME,NAME", help="their names in the order of the labels (default: Pascal VOC's for "
                                               "voc, those of the annotations, sorted, for custom)")


def read_dataset(args, *parts, classes=None):
    """Read the data set that the command line names.

    Parameters
    ----------
    args : argparse.Namespace
        With the flags of `add_dataset_arguments`.
    *parts : str
        Of "train" and "val", those wanted.
    classes : sequence of str, optional
        Where they are known already.

    Returns
    -------
    classes : list of str
    annotated : list of list of Annotated
        One for each of `parts`.
    """
    from .detection.dataset import SPLITS, classes_of, read_voc

    splits = {part: getattr(args, f"{part}_split", None) or SPLITS[args.dataset][part] for part in ("train", "val")}
    classes = given_classes(args) or classes
    if classes is None and args.dataset == "voc":
        from .detection.ssd import VOC_CLASSES
        classes = list(VOC_CLASSES)
    elif classes is None:
        classes = classes_of(args.dataset_root, ",".join(splits[part] for part in parts))
    return classes, [read_voc(args.dataset_root, splits[part], classes) for part in parts]


def given_classes(args):
    """Return the names that --classes gives, as annotations have them, a list of str; None without the flag."""
    if not args.classes:
        return None
    classes = [name.strip().lower() for name in args.classes.split(",")]
    if not all(classes) or len(set(classes)) < len(classes):
        raise InputError(f"--classes {args.classes}: the names must differ and none may be empty")
    return classes


def add_checkpoint_arguments(parser):
    """Give a parser the flags that are the parameters of `graph_of_checkpoint`; returns their names."""
    actions = [
        parser.add_argument("--model", help="network (default: etinynet1.0)"),
        parser.add_argument("--params", metavar="FILE",
                            help="checkpoint, float or quantised by ASQ (default: the released one)"),
        parser.add_argument("--calib-dir", metavar="DIR",
                            help="folder of photographs, labelled or not, from which the feature maps' ranges "
                                 "are taken; a few hundred are enough (or a list in Pascal VOC's layout, "
                                 "ROOT/ImageSets/Main/train.txt)"),
        parser.add_argument("--calib-digits", action="store_const", const=True,
                            help="take them from scikit-learn's handwritten digits, for a network trained on these"),
        parser.add_argument("--num-images", type=COUNT, help="how many pictures to look at (default: 128)"),
        parser.add_argument("--weight-bits", type=int, choices=range(2, 9),
                            help="those of the result; a checkpoint of others is refused (default: 8 for a float "
                                 "checkpoint, its own for one quantised by ASQ)"),
        parser.add_argument("--input-size", type=SIDE,
                            help="side of the picture in pixels (default: 224; a detector's own)"),
    ]
    return [action.dest for action in actions]
