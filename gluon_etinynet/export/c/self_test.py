"""What the exported self-test must find: its picture, and digests of what the interpreter computes of it."""

import zlib

import numpy as np

from ...integer import run, trace

__all__ = ["digests", "picture"]

SQUARE = 8  # pixels


def picture(shape):
    """Return the self-test's picture as etn_self_test.c draws it: int8 of that shape, (channels, rows, columns)."""
    channel, y, x = np.indices(shape, np.uint32)
    square = (y // SQUARE * 257 + x // SQUARE) * 5 + channel + 1
    mixed = square.astype(np.uint64) * 2654435761 % (1 << 32)
    mixed = (mixed ^ mixed >> 15) * 2246822519 % (1 << 32)
    return ((mixed >> 24).astype(np.int16) - 128).astype(np.int8)


def digests(graph, found):
    """Return the CRC-32 of what each stage of `found` computes of the picture, and of a detector's detections.

    Of a map by rows, each row by channels; 0 of a level.
    """
    image = picture(graph.image.shape)[None]
    maps, wanted = trace(graph, image), found if graph.detection else found[:-1]
    ends = [stage.nodes[-1].output for stage in wanted]
    if not graph.detection:
        ends[-1] = graph.output.name  # the average and the fully connected layer are one step
    values = [0 if stage.kind == "level" else zlib.crc32(_bytes(maps[end][0])) for stage, end in zip(wanted, ends)]
    return values + ([zlib.crc32(np.ascontiguousarray(run(graph, image)[0]).tobytes())] if graph.detection else [])


def _bytes(values):
    little = np.ascontiguousarray(values.transpose(1, 0, 2))
    return little.astype(little.dtype.newbyteorder("<")).tobytes()
