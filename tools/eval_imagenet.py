"""Top-1 and top-5 accuracy of a network on labelled pictures, as ImageNet counts them.

The pictures are a folder with a labels.csv (file,wnid,class_index), a folder of class folders named
by wnid, or a RecordIO file. Each is classified exactly once among all 1000 classes. The last line is
`top1=78.30 top5=92.50 n=1000`; metrics.json says the same.
"""

import argparse
import time
from pathlib import Path

from gluon_etinynet import cli, model_names
from gluon_etinynet.files import write_json
from gluon_etinynet.flags import add_picture_arguments, labelled_pictures, print_unreadable
from gluon_etinynet.loading import load_checkpoint
from gluon_etinynet.quantities import GPUS, SIDE
from gluon_etinynet.training import contexts, evaluate


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="etinynet1.0", choices=model_names(), help="network (default: etinynet1.0)")
    parser.add_argument("--params", help="checkpoint (default: the released one, downloaded when it is not cached)")
    parser.add_argument("--input-size", type=SIDE, default=224, help="side of the crop in pixels (default: 224)")
    parser.add_argument("--num-gpus", type=GPUS, default=0, help="GPUs to use (default: 0, the CPU)")
    add_picture_arguments(parser)
    parser.add_argument("--save-dir", default="runs/eval_imagenet",
                        help="folder of metrics.json (default: %(default)s)")
    return parser.parse_args()


def main():
    args = parse_args()
    ctx = contexts(args.num_gpus)
    net, contents, _, labels = load_checkpoint(args.model, args.params, ctx)
    source = labelled_pictures(args, args.input_size, contents.classes, labels)
    net.hybridize(static_alloc=True, static_shape=True)

    started = time.time()
    result = evaluate(net, source, ctx)
    speed = result["samples"] / (time.time() - started)

    write_json(Path(args.save_dir) / "metrics.json", {
        "model": args.model, "params": args.params or "released", "data": args.rec_val or args.data_dir,
        "input_size": args.input_size, "crop_ratio": args.crop_ratio, "top1": 100 * result["top1"],
        "top5": 100 * result["top5"], "n": result["samples"], "unreadable": print_unreadable(source),
        "measurements": []})
    print(f"{speed:.1f} images/s")
    print(f"top1={100 * result['top1']:.2f} top5={100 * result['top5']:.2f} n={result['samples']}")


if __name__ == "__main__":
    cli.run(main)
