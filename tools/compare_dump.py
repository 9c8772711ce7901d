"""Compare what a device has computed, layer by layer, with the interpreter on the same picture.

The dump is what the exported demo, built with `make ... OBSERVE=trace`, or OBSERVE=hex for a serial line, has written:
bytes, or a log with lines of hexadecimal digits, among which other lines are left out. The first tensor that differs is
named, with the pixels on the border apart from those inside, and what would explain it. Exit status 0 if all
are equal, 1 if not.
"""

import argparse
import re
from pathlib import Path

import numpy as np

from gluon_etinynet import InputError, cli
from gluon_etinynet.data.camera import CLASSIFIERS, DETECTORS, Camera
from gluon_etinynet.data.images import center_crop, read_image, resize_square
from gluon_etinynet.export.c.diagnosis import causes, place_of
from gluon_etinynet.export.c.program import read_trace
from gluon_etinynet.integer import Graph, first_difference, pixels_to_input, trace
from gluon_etinynet.reading import read_bytes

HEX_LINE = re.compile(rb"(?:[0-9a-fA-F]{2}[ \t]*)+")


def parse_args():
    parser = cli.Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", required=True, metavar="NPZ", help="the network that was exported")
    parser.add_argument("--dump", required=True, metavar="FILE", help="what the device has written")
    picture = parser.add_mutually_exclusive_group(required=True)
    picture.add_argument("--image", metavar="FILE", help="the picture as raw int8: rows, columns, RGB")
    picture.add_argument("--photo", metavar="FILE", help="or a photograph, which is cut as tools/classify.py does, or "
                                                         "made square for a detector")
    picture.add_argument("--frame", metavar="FILE", help="or a frame of --camera as it delivers it")
    parser.add_argument("--camera", metavar="FORMAT:WxH", help="as of tools/export_c.py")
    return parser.parse_args()


def main():
    args = parse_args()
    if bool(args.frame) != bool(args.camera):
        raise InputError("--frame and --camera belong together; give both or neither")
    graph = Graph.load(args.graph)
    image = read_picture(args, graph)
    own = trace(graph, image[None])
    dump = as_bytes(read_bytes(args.dump))
    try:
        device = read_trace(graph, dump, image)
    except InputError as error:
        raise InputError(f"{args.dump}: {error}") from error
    differs = first_difference(device, own)
    if differs is None:
        print(f"equal: all {len(own)} tensors")
        return 0
    found, expected = ({name: values[0] for name, values in tensors.items()} for tensors in (device, own))
    name = differs.tensor
    place, order = place_of(found[name], expected[name]), list(own)
    _, channel, row, column = differs.index
    print(f"tensor {order.index(name)} of {len(own) - 1}, {name}, is the first that differs; those before it are equal")
    print(f"  {differs.count:,} of {own[name].size:,} values: {place.border:,} on the border, {place.inner:,} inside; "
          f"by {place.most} at most")
    print(f"  the first is channel {channel}, row {row}, column {column}: {differs.a} on the device, {differs.b} here")
    for words in causes(graph, name, found, expected):
        print(f"  likely: {words}")
    return 1


def read_picture(args, graph):
    """The network's image, int8 of shape (channels, rows, columns)."""
    channels, rows, columns = graph.image.shape
    if args.photo:
        photo = read_image(args.photo)
        return pixels_to_input(resize_square(photo, rows) if graph.detection else center_crop(photo, rows, 0.875))
    if args.frame:
        camera = Camera.parse(args.camera)
        content = sized(args.frame, camera.height * camera.row_bytes)
        frame = np.frombuffer(content, np.uint8).reshape(camera.height, camera.row_bytes)
        return pixels_to_input(camera.image(frame, rows, columns, DETECTORS if graph.detection else CLASSIFIERS))
    content = sized(args.image, graph.image.nbytes)
    return np.frombuffer(content, np.int8).reshape(rows, columns, channels).transpose(2, 0, 1)


def sized(path, count):
    content = read_bytes(path)
    if len(content) != count:
        raise InputError(f"{Path(path)} has {len(content):,} bytes, and the picture {count:,}; give the one that the "
                         "device has seen")
    return content


def as_bytes(dump):
    """The bytes of a dump, in hexadecimal or not."""
    lines = dump.splitlines()
    digits = [line.strip() for line in lines if HEX_LINE.fullmatch(line.strip())]
    if len(digits) < len(lines) / 2 or not dump.isascii():
        return dump
    return bytes.fromhex(b"".join(digits).decode())


if __name__ == "__main__":
    cli.run(main)
