"""Table 2: size, multiply-adds and ImageNet accuracy, each beside the paper's; and Figure 1.

Sizes and multiply-adds are measured from every network that can be built here. Accuracy is measured
for EtinyNet where validation data is given: of the released EtinyNet-1.0, or of --params. On the 50,000
pictures of ImageNet's validation set it is held against the paper's; on others it is only shown.

Writes metrics.json, table2.csv, figure1.png, figure1.svg and figure1.csv to --save-dir.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from networks import COMPARABLE, build

from gluon_etinynet import cli, get_model
from gluon_etinynet.data.datasets import imagenet_classes
from gluon_etinynet.data.images import index_folder
from gluon_etinynet.data.sources import FolderSource, Loading, RecordSource
from gluon_etinynet.files import atomic_path, write_csv, write_json
from gluon_etinynet.networks.complexity import measure
from gluon_etinynet.quantities import BATCH, GPUS, THREADS
from gluon_etinynet.report.paper import REASONS, load, side_by_side
from gluon_etinynet.training import contexts, evaluate

OURS = {"EtinyNet-1.0": "etinynet1.0", "EtinyNet-0.75": "etinynet0.75"}
COLUMNS = {"size_mb": "size, MB", "madds": "MAdds, M", "top1": "top-1, %", "top5": "top-5, %"}
IMAGENET_VALIDATION = 50000
# Where a label does not stand up and to the right of its point: its text's end that is at the point, and its rise.
LABELS = {"MobileNetV1-0.5": ("left", 11), "EtinyNet-0.75": ("right", 5), "ShuffleNetV2-0.5": ("right", -8),
          "MicroNet-M2": ("right", 2), "EfficientNet-B": ("right", -3), "MobileNetV2-0.15": ("right", -3),
          "MobileNetV2-0.35": ("left", -6), "MnasNet-A1-0.35": ("left", -11), "MobileNetV3-Small-0.35": ("left", -7)}


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(OURS.values()), default="etinynet1.0",
                        help="network whose accuracy is measured (default: etinynet1.0)")
    parser.add_argument("--params", help="its checkpoint (default: the released one, downloaded when not cached)")
    parser.add_argument("--data-dir", help="validation pictures: labels.csv, or one folder for each wnid")
    parser.add_argument("--use-rec", action="store_true", help="read --rec-val instead of --data-dir")
    parser.add_argument("--rec-val", help="validation .rec file")
    parser.add_argument("--rec-val-idx", help="its .idx file (default: beside it)")
    parser.add_argument("--batch-size", type=BATCH, default=32, help="default: 32")
    parser.add_argument("--num-gpus", type=GPUS, default=0, help="default: 0, the CPU")
    parser.add_argument("-j", "--num-workers", type=THREADS, default=2, help="threads that read pictures (default: 2)")
    parser.add_argument("--save-dir", default="runs/table2", help="default: runs/table2")
    args = parser.parse_args()
    if args.use_rec != bool(args.rec_val) or (args.use_rec and args.data_dir):
        parser.error("give --data-dir DIR, or --use-rec with --rec-val FILE, or neither")
    return args


def main():
    args = parse_args()
    measurements = [m for row, name in OURS.items() for m in costs(row, name, bits=(32, 4))]
    measurements += [m for name in COMPARABLE for m in costs(name, name, bits=(32,))]
    if args.data_dir or args.use_rec:
        measurements += accuracy(args)

    entries = [entry for entry in load() if entry.table == "2"]
    found = {(m["row"], m["quantity"]): m for m in measurements}
    header, rows = side_by_side(entries, found, COLUMNS)
    print("Table 2: ImageNet, 224 x 224; each measured value stands behind the paper's\n")
    print(cli.table(header, rows))
    for m in measurements:
        note = REASONS.get((m["table"], m["row"], m["quantity"])) or m.get("note")
        if note:
            print(f"  {m['row']}, {m['quantity']}: {note}")
    save_dir = Path(args.save_dir)
    write_csv(save_dir / "table2.csv", header, rows)
    write_json(save_dir / "metrics.json", {"measurements": measurements})
    draw(entries, found, save_dir)
    print(f"\nwritten: {save_dir}/metrics.json, table2.csv, figure1.png, figure1.svg, figure1.csv")


def costs(row, name, bits):
    """Size and multiply-adds of one network; at 4 bits it is a row of its own."""
    counts = measure(build(name))
    found = []
    for width in bits:
        label = row if width == 32 else f"{row} ({width}-bit)"
        found.append({"table": "2", "row": label, "quantity": "size_mb", "value": counts.bytes_at(width) / 1e6})
        found.append({"table": "2", "row": label, "quantity": "madds", "value": counts.madds / 1e6})
    return found


def accuracy(args):
    wnids, _ = imagenet_classes()
    loading = Loading(args.batch_size, size=224, threads=args.num_workers, classes=len(wnids))
    if args.use_rec:
        source, data = RecordSource(args.rec_val, loading, args.rec_val_idx), args.rec_val
    else:
        files, _ = index_folder(args.data_dir, wnids)
        source, data = FolderSource(files, loading, strict=True), args.data_dir
    ctx = contexts(args.num_gpus)
    net = get_model(args.model, pretrained=args.params or True, ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)
    result = evaluate(net, source, ctx)
    row = {name: row for row, name in OURS.items()}[args.model]
    whole = result["samples"] == IMAGENET_VALIDATION
    return [{"table": "2", "row": row, "quantity": quantity, "value": 100 * result[quantity], "comparable": whole,
             "note": f"{result['samples']} pictures of {Path(data).name}"} for quantity in ("top1", "top5")]


def draw(entries, found, save_dir):
    """Figure 1: accuracy against size; sizes as measured where they are, accuracies as the paper reports them.

    An accuracy measured on ImageNet's whole validation set is a point of its own; one on other pictures would stand
    beside numbers that it cannot be compared with.
    """
    value = {(entry.row, entry.quantity): entry.value for entry in entries}
    rows = [row for row in dict.fromkeys(entry.row for entry in entries) if (row, "top1") in value]
    points = [(row, found[row, "size_mb"]["value"] if (row, "size_mb") in found else value[row, "size_mb"],
               value[row, "top1"], "measured" if (row, "size_mb") in found else "paper") for row in rows]
    figure, axes = plt.subplots(figsize=(7, 4.2))
    axes.axvspan(0.2, 1, color="tab:green", alpha=0.08, linewidth=0)
    axes.text(0.02, 0.98, "TinyML: below 1 MB", color="tab:green", va="top", transform=axes.transAxes)
    for row, size, top1, _ in points:
        ours = row.startswith("EtinyNet")
        marker, colour, extent = ("*", "tab:red", 13) if ours else ("o", "tab:blue", 6)
        axes.plot(size, top1, marker, color=colour, markersize=extent)
        side, rise = LABELS.get(row, ("left", 5))
        axes.annotate(row, (size, top1), xytext=(-7 if side == "right" else 7, rise), textcoords="offset points",
                      fontsize=7.5, ha=side, color="tab:red" if ours else "black")
    for (row, quantity), m in found.items():
        if quantity == "top1" and m["comparable"]:
            axes.plot(found[row, "size_mb"]["value"], m["value"], "D", color="tab:red", fillstyle="none",
                      label=f"{row}, measured on {m['note']}")
            axes.legend(loc="upper left", bbox_to_anchor=(0, 0.93), fontsize=7.5)
    axes.set_xscale("log")
    axes.set_xlim(0.2, 20)
    axes.set_ylim(top=axes.get_ylim()[1] + 0.8)  # room for the highest label
    axes.set_xticks([0.25, 0.5, 1, 2, 4, 8, 16])
    axes.set_xticklabels(["0.25", "0.5", "1", "2", "4", "8", "16"])
    axes.minorticks_off()
    axes.set_xlabel("model size, MB (log scale)")
    axes.set_ylabel("ImageNet top-1 accuracy, %")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    for extension in ("png", "svg"):
        with atomic_path(save_dir / f"figure1.{extension}") as temporary:
            figure.savefig(temporary, dpi=200, metadata={"Date": None} if extension == "svg" else None)
    plt.close(figure)
    write_csv(save_dir / "figure1.csv", ["model", "size_mb", "top1_paper", "size from"], points)


if __name__ == "__main__":
    cli.run(main)
