"""What an example needs beside the firmware: frame.bin, a photograph as the camera delivers it, and names.h.

Without a photograph of your own (--photo sample) it is that of Grace Hopper that comes with matplotlib.
"""

from pathlib import Path

import matplotlib

from gluon_etinynet import cli
from gluon_etinynet.data.camera import Camera
from gluon_etinynet.data.datasets import imagenet_classes
from gluon_etinynet.data.images import frame_seen, read_image
from gluon_etinynet.export.c.emit import quoted
from gluon_etinynet.files import atomic_path, write_text
from gluon_etinynet.integer import Graph


def main():
    parser = cli.Parser(description=__doc__)
    parser.add_argument("--graph", required=True, metavar="NPZ", help="integer network")
    parser.add_argument("--camera", required=True, metavar="FORMAT:WxH")
    parser.add_argument("--photo", default="sample", help="photograph, of any size (default: %(default)s)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    args = parser.parse_args()
    graph, camera, out = Graph.load(args.graph), Camera.parse(args.camera), Path(args.out)
    frame = frame_seen(read_image(sample() if args.photo == "sample" else args.photo), camera.width, camera.height)
    with atomic_path(out / "frame.bin") as path:
        path.write_bytes(camera.encode(frame).tobytes())
    lines = "".join(f"    {quoted(name)},\n" for name in names_of(graph))
    head = "/* Written by examples/prepare.py. */\nstatic const char *const names[] = {\n"
    write_text(out / "names.h", head + lines + "};\n")


def sample():
    """A photograph of Grace Hopper, which is in the public domain and comes with matplotlib."""
    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def names_of(graph):
    """The names of a network's classes; for ImageNet's wnids what they stand for."""
    labels = graph.labels or [f"class {index}" for index in range(graph.classes)]
    names = dict(zip(*imagenet_classes())) if labels[0].startswith("n0") else {}
    return [names.get(label, label) for label in labels]


if __name__ == "__main__":
    cli.run(main)
