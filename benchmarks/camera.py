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

PHOTOGRAPHS, FRAMES = "photographs, OpenCV", "frames in 24 bits, OpenCV"
HEADER = ["pictures", "top-1, %", "above OpenCV of the frames, points", "the same class, %"]
COUNTED = ["format", "flash, bytes", "RAM without stack, bytes", "stack, bytes", "M instructions", "M of all rows",
           "most of a row", "mean of a row"]


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
    counts = []
    if args.mcu:
        frame = frame_seen(read_image(files[0][0]), cameras[0].width, cameras[0].height)
        counts = [on_mcu(graph, camera, args.mcu, camera.encode(frame), save_dir / f"{camera.format}-{args.mcu}")
                  for camera in cameras]
        print(cli.table(COUNTED, counts))
        write_csv(save_dir / "rows.csv", COUNTED, counts)
    logits_of, unequal = classify(graph, cameras, files, save_dir)
    rows = accuracies(logits_of, [label for _, label in files])
    print(cli.table(HEADER, rows))
    write_csv(save_dir / "camera.csv", HEADER, rows)
    write_json(save_dir / "camera.json", {"graph": args.graph, "sha256": graph.sha256(), "size": args.size,
                                          "n": len(files), "rows": [dict(zip(HEADER, row)) for row in rows],
                                          "mcu": args.mcu, "counts": [dict(zip(COUNTED, row)) for row in counts],
                                          "unequal": unequal})
    count = len(files) * len(cameras)
    print(f"images by C and Python: {count - len(unequal)} of {count} equal"
          + "".join(f"\nnot equal: {name}" for name in unequal[:5]))
    return int(bool(unequal))


def classify(graph, cameras, files, save_dir):
    """The logits of every picture, a list by way, and the pictures whose image is not the same in C and Python."""
    programs = [build(graph, camera, save_dir / camera.format) for camera in cameras]
    ways = PHOTOGRAPHS, FRAMES, *(camera.format for camera in cameras)
    found, unequal = {way: [] for way in ways}, []
    _, rows, columns = graph.image.shape
    for file, _ in cli.progress(files):
        photograph = read_image(file)
        frame = frame_seen(photograph, cameras[0].width, cameras[0].height)
        for way, picture in ((PHOTOGRAPHS, photograph), (FRAMES, frame)):
            found[way].append(logits(programs[0], preprocess(picture, rows)))
        for camera, program in zip(cameras, programs):
            encoded = camera.encode(frame)
            printed = call([program, "--logits", "--camera"], encoded.tobytes())
            found[camera.format].append(np.array(printed.split(), np.int32))
            image = pixels_to_input(camera.image(encoded, rows, columns))
            if not np.array_equal(logits(program, image), found[camera.format][-1]):
                unequal.append(f"{file} as {camera.format}")
    return found, unequal


def accuracies(logits_of, labels):
    """Rows of the table: a way, its top-1, how far that is above the frames', how often the class is theirs."""
    classes = {way: np.argmax(found, axis=1) for way, found in logits_of.items()}
    top1 = {way: 100 * np.mean(found == labels) for way, found in classes.items()}
    return [[way, f"{top1[way]:.2f}", f"{top1[way] - top1[FRAMES]:+.2f}",
             f"{100 * np.mean(found == classes[FRAMES]):.1f}"] for way, found in classes.items()]


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
