"""Detect objects on pictures with EtinyNet-SSD: pictures with labelled boxes, and detections.json.

    python tools/detect.py --params runs/train_ssd/best.params photo.jpg ...
"""

import argparse
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.detection.drawing import draw_detections, write_image
from gluon_etinynet.detection.evaluation import detect
from gluon_etinynet.detection.training import load_detector
from gluon_etinynet.files import write_json
from gluon_etinynet.flags import given_classes
from gluon_etinynet.quantities import SHARE


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="picture, of any size")
    parser.add_argument("--params", required=True, metavar="FILE", help="checkpoint of tools/train_ssd.py")
    parser.add_argument("--classes", metavar="NAME,NAME",
                        help="default: classes.txt beside the checkpoint, or else Pascal VOC's")
    parser.add_argument("--threshold", type=SHARE, default=0.3, help="least score of a detection (default: 0.3)")
    parser.add_argument("--save-dir", default="runs/detect", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    net = load_detector(args.params, given_classes(args))
    net.hybridize()
    stems = [Path(path).stem for path in args.images]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise InputError(f"two pictures are called {twice}; their results would have the same name")
    found, unreadable = {}, 0
    for path in args.images:
        try:
            image, detections = detect(net, path, args.threshold)
        except InputError as error:
            unreadable += 1
            print(f"{path}\n  {error}")
            continue
        found[path] = detections
        drawn = draw_detections(image, detections, net.classes)
        write_image(Path(args.save_dir) / f"{Path(path).stem}.png", drawn)
        print(path)
        for each in detections:
            box = " ".join(f"{value:.0f}" for value in each["box"])
            print(f"  {100 * each['score']:5.1f} %  {each['class']}  {box}")
    write_json(Path(args.save_dir) / "detections.json", found)
    print(f"written: {args.save_dir}/detections.json and a picture for each")
    return 2 if unreadable else 0


if __name__ == "__main__":
    cli.run(main)
