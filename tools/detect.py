"""Detect objects on pictures with EtinyNet-SSD: pictures with labelled boxes, a contact sheet, and detections.json.

    python tools/detect.py --params runs/train_ssd/best.params photo.jpg FOLDER ...
    python tools/detect.py --graph ssd.npz photo.jpg

The detector is a checkpoint, or an integer network, which the interpreter computes. detections.json has for each
picture its detections: class, score, and box (left, top, right, bottom in pixels of the picture).
"""

import argparse
from pathlib import Path

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.images import pictures_below
from gluon_etinynet.detection.drawing import contact_sheet, draw_detections, write_image
from gluon_etinynet.detection.evaluation import detect, graph_detector
from gluon_etinynet.detection.training import load_detector
from gluon_etinynet.files import write_json
from gluon_etinynet.flags import given_classes
from gluon_etinynet.quantities import COUNT, SHARE
from gluon_etinynet.reading import is_folder


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE", help="picture, of any size, or folder of such, with those within it")
    add("--params", metavar="FILE", help="checkpoint of tools/train_ssd.py; or:")
    add("--graph", metavar="NPZ", help="integer network, of tools/make_graph.py")
    add("--classes", metavar="NAME,NAME",
        help="default: those that the network tells, or classes.txt beside it, or else Pascal VOC's")
    add("--threshold", type=SHARE, default=0.3, help="least score of a detection (default: 0.3)")
    add("--sheet", type=COUNT, default=24, help="pictures on the contact sheet, the first ones (default: 24)")
    add("--save-dir", default="runs/detect", help="default: %(default)s")
    args = parser.parse_args()
    if bool(args.params) == bool(args.graph):
        parser.error("give one detector: --params FILE, or --graph NPZ")
    return args


def main():
    args = parse_args()
    if args.graph:
        detector = graph_detector(args.graph, given_classes(args))
    else:
        detector = load_detector(args.params, given_classes(args))
        detector.hybridize()
    save_dir, found, sheet, unreadable = Path(args.save_dir), {}, [], 0
    for path in pictures(args.images):
        print(path)
        try:
            image, detections = detect(detector, path, args.threshold)
        except InputError as error:
            unreadable += 1
            print(f"  {error}")
            continue
        found[str(path)] = detections
        drawn = draw_detections(image, detections, detector.classes)
        write_image(save_dir / f"{path.stem}.png", drawn)
        if len(sheet) < args.sheet:
            sheet.append((drawn, f"{path.name}: {len(detections)}"))
        for each in detections:
            box = " ".join(f"{value:.0f}" for value in each["box"])
            print(f"  {100 * each['score']:5.1f} %  {each['class']}  {box}")
    if sheet:
        write_image(save_dir / "contact_sheet.png", contact_sheet(*zip(*sheet)))
    write_json(save_dir / "detections.json", found)
    print(f"written: {save_dir}/detections.json, contact_sheet.png and a picture for each")
    return 2 if unreadable else 0


def pictures(paths):
    """The pictures named, and those within the folders named; no two with the same name."""
    found = [picture for path in map(Path, paths) for picture in (pictures_below(path) if is_folder(path) else [path])]
    stems = [path.stem for path in found] + ["contact_sheet"]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise InputError(f"two pictures are called {twice}; their results would have the same name")
    return found


if __name__ == "__main__":
    cli.run(main)
