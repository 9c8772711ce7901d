"""A classifier behind a camera: what its formats cost in accuracy, and its rows in instructions.

Each labelled photograph becomes a frame as a camera would deliver it: its short side made that of the frame, its
centre cut or its sides padded. The exported C, built for this computer with --camera, classifies the frames of each
format; beside them stands what OpenCV makes of the same frames in 24 bits, and of the photographs themselves
(data.images.preprocess). The image of every frame is held against data.camera's as well: their logits must be equal,
otherwise the exit status is 1. With --mcu one frame of each format runs on that microcontroller under QEMU, which
counts the instructions of its rows, and the linker tells the RAM.
"""

import argparse
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.camera import FORMATS, Camera
from gluon_etinynet.data.images import frame_seen, preprocess, read_image
from gluon_etinynet.export import c
from gluon_etinynet.export.c.kernel_sets import HOST, fastest
from gluon_etinynet.export.c.program import MCUS, call, logits, make, need, simulate, sizes
from gluon_etinynet.files import write_csv, write_json
from gluon_etinynet.flags import labelled_files
from gluon_etinynet.integer import Graph, pixels_to_input
from gluon_etinynet.quantities import COUNT


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", required=True, metavar="NPZ", help="integer network of a classifier")
    parser.add_argument("--data-dir", required=True,
                        help="folder with labels.csv, or with one folder of pictures for each class")
    parser.add_argument("--size", default="320x240", metavar="WxH", help="of a frame (default: 320x240)")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS), help="default: all")
    parser.add_argument("--num-images", type=COUNT, help="of the photographs, evenly spaced (default: all)")
    parser.add_argument("--mcu", choices=MCUS, help="count instructions on this microcontroller too")
    parser.add_argument("--save-dir", default="runs/camera", help="default: %(default)s")
    return parser.parse_args()


def main():
    args = parse_args()
    need("make", "cc", *(["arm-none-eabi-gcc", "qemu-system-arm"] if args.mcu else []))
    graph = Graph.load(args.graph)
    if graph.detection is not None:
        raise InputError(f"{args.graph} is a detector; give a classifier")
    cameras = [Camera.parse(f"{name}:{args.size}") for name in args.formats]
    files = labelled_files(args.data_dir, graph.classes, graph.labels)
    if args.num_images:
        files = [files[i] for i in np.linspace(0, len(files) - 1, min(args.num_images, len(files))).astype(int)]
    save_dir = Path(args.save_dir)
    paths = ["photographs, OpenCV", f"{args.size} in 24 bits, OpenCV", *(camera.format for camera in cameras)]
    hits, classes, unequal = dict.fromkeys(paths, 0), {path: [] for path in paths}, []
    programs = [build(graph, camera, save_dir / camera.format) for camera in cameras]
    for file, label in cli.progress(files):
        found = {}
        photograph = read_image(file)
        frame = frame_seen(photograph, *cameras[0][1:])
        size = graph.image.shape[1]
        for path, picture in zip(paths, (photograph, frame)):
            found[path] = logits(programs[0], preprocess(picture, size))
        for camera, program in zip(cameras, programs):
            encoded = camera.encode(frame)
            printed = call([program, "--logits", "--camera"], encoded.tobytes())
            found[camera.format] = np.array(printed.split(), np.int32)
            image = pixels_to_input(camera.image(encoded, *graph.image.shape[1:]))
            if not np.array_equal(logits(program, image), found[camera.format]):
                unequal.append(f"{file} as {camera.format}")
        for path, values in found.items():
            hits[path] += int(values.argmax() == label)
            classes[path].append(int(values.argmax()))
    header = ["pictures", "top-1, %", "above OpenCV of the frames, points", "the same class, %"]
    rows = []
    for path in paths:
        top1, same = (100 * np.mean([a == b for a, b in zip(classes[path], other)])
                      for other in ([label for _, label in files], classes[paths[1]]))
        rows.append([path, f"{top1:.2f}", f"{100 * (hits[path] - hits[paths[1]]) / len(files):+.2f}", f"{same:.1f}"])
    print(cli.table(header, rows))
    counts = []
    if args.mcu:
        counted = ["format", "flash, bytes", "RAM without stack, bytes", "stack, bytes", "M instructions",
                   "M of all rows", "most of a row", "mean of a row"]
        encoded = frame_seen(read_image(files[0][0]), *cameras[0][1:])
        counts = [on_mcu(graph, camera, args.mcu, camera.encode(encoded), save_dir / f"{camera.format}-{args.mcu}")
                  for camera in cameras]
        print(cli.table(counted, counts))
        write_csv(save_dir / "rows.csv", counted, counts)
    write_csv(save_dir / "camera.csv", header, rows)
    write_json(save_dir / "camera.json", {"graph": args.graph, "sha256": graph.sha256(), "size": args.size,
                                          "n": len(files), "rows": [dict(zip(header, row)) for row in rows],
                                          "mcu": args.mcu, "counts": counts, "unequal": unequal})
    print(f"images by C and Python: {len(files) * len(cameras) - len(unequal)} of {len(files) * len(cameras)} equal"
          + "".join(f"\nnot equal: {name}" for name in unequal[:5]))
    return int(bool(unequal))


def build(graph, camera, folder):
    """The demo with a camera for this computer; its path."""
    folder = c.emit(graph, "net", fastest(HOST), camera).write(folder)
    make(folder, "host")
    return folder / "build" / "host" / "net"


def on_mcu(graph, camera, mcu, frame, folder):
    """A row of the table of counts: the format, bytes, and instructions."""
    folder = c.emit(graph, "net", fastest(MCUS[mcu].processor), camera).write(folder)
    flash, ram = sizes(folder, mcu)
    whole = simulate(folder, mcu, frame.tobytes(), arguments="--camera")
    return [camera.format, flash, ram, whole.stack, f"{whole.instructions / 1e6:.2f}",
            f"{whole.of_rows / 1e6:.2f}", whole.most_of_a_row, round(whole.of_rows / camera.height)]


if __name__ == "__main__":
    cli.run(main)
