"""Top-1 and top-5 accuracy of a network on labelled photographs, as ImageNet counts them.

The photographs are a folder with a labels.csv (file,wnid,class_index), a folder of class folders named
by wnid, or a RecordIO file. Each is classified exactly once among all 1000 classes. The last line is
`top1=78.30 top5=92.50 n=1000`; metrics.json says the same.
"""

import argparse
import time
from pathlib import Path

from gluon_etinynet import cli, get_model, model_names
from gluon_etinynet.data import FolderSource, RecordSource, imagenet_classes
from gluon_etinynet.files import write_json
from gluon_etinynet.images import index_folder
from gluon_etinynet.training import contexts, evaluate

SHOWN = 10


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="etinynet1.0", choices=model_names(), help="network (default: etinynet1.0)")
    parser.add_argument("--params", help="checkpoint (default: the released one, downloaded when it is not cached)")
    parser.add_argument("--data-dir", help="folder with labels.csv, or with one folder of photographs for each wnid")
    parser.add_argument("--use-rec", action="store_true", help="read --rec-val instead of --data-dir")
    parser.add_argument("--rec-val", help="validation .rec file")
    parser.add_argument("--rec-val-idx", help="its .idx file (default: beside it)")
    parser.add_argument("--input-size", type=int, default=224, help="side of the crop in pixels (default: 224)")
    parser.add_argument("--crop-ratio", type=float, default=0.875,
                        help="side of the crop as a part of the resized short side (default: 0.875)")
    parser.add_argument("--batch-size", type=int, default=32, help="photographs at a time (default: 32)")
    parser.add_argument("--num-gpus", type=int, default=0, help="GPUs to use (default: 0, the CPU)")
    parser.add_argument("-j", "--num-workers", type=int, default=2, help="threads that read photographs (default: 2)")
    parser.add_argument("--strict", action="store_true", help="stop at a photograph that cannot be read")
    parser.add_argument("--save-dir", default="runs/eval_imagenet", help="folder of metrics.json (default: %(default)s)")
    args = parser.parse_args()
    if args.use_rec != bool(args.rec_val) or args.use_rec == bool(args.data_dir):
        parser.error("give either --data-dir DIR, or --use-rec with --rec-val FILE")
    return args


def main():
    args = parse_args()
    wnids, _ = imagenet_classes()
    options = {"size": args.input_size, "crop_ratio": args.crop_ratio, "threads": args.num_workers,
               "classes": len(wnids)}
    if args.use_rec:
        source = RecordSource(args.rec_val, args.rec_val_idx, args.batch_size, **options)
    else:
        files, _ = index_folder(args.data_dir, wnids)
        source = FolderSource(files, args.batch_size, strict=args.strict, **options)
    ctx = contexts(args.num_gpus)
    net = get_model(args.model, classes=len(wnids), pretrained=args.params or True, ctx=ctx)
    net.hybridize(static_alloc=True, static_shape=True)

    started = time.time()
    result = evaluate(net, source, ctx)
    speed = result["samples"] / (time.time() - started)

    unreadable = getattr(source, "unreadable", [])
    for complaint in unreadable[:SHOWN]:
        print(f"left out: {complaint}")
    if unreadable:
        print(f"{len(unreadable)} of {source.samples} photographs could not be read and are not counted")
    write_json(Path(args.save_dir) / "metrics.json", {
        "model": args.model, "params": args.params or "released", "data": args.rec_val or args.data_dir,
        "input_size": args.input_size, "crop_ratio": args.crop_ratio, "top1": 100 * result["top1"],
        "top5": 100 * result["top5"], "n": result["samples"], "unreadable": unreadable, "measurements": []})
    print(f"{speed:.1f} images/s")
    print(f"top1={100 * result['top1']:.2f} top5={100 * result['top5']:.2f} n={result['samples']}")


if __name__ == "__main__":
    cli.run(main)
