"""From a camera's frame to a network's image, as the exported firmware computes it: docs/numerics.md section 10."""

import re
from typing import Callable, NamedTuple

import numpy as np

from ..reading import InputError

__all__ = ["Camera", "Centre", "CLASSIFIERS", "DETECTORS", "FORMATS", "inverse_of", "mean",
           "sum_of_weights", "weights"]

LONGEST = 8192  # pixels of a side
LARGEST_AREA = 1 << 24
CLASSIFIERS, DETECTORS = (7, 8), (1, 1)  # the part of the centre that they see


class Format(NamedTuple):
    """How a camera's pixels lie in bytes: `decode` turns uint8 (..., bytes) into (..., columns, 3), `encode` back."""

    bytes: int  # of a pixel
    decode: Callable
    encode: Callable


class Centre(NamedTuple):
    """The part of a frame that becomes the image: where it begins, and its size, in pixels."""

    left: int
    top: int
    width: int
    height: int


def _decode_rgb565(values):
    channels = [(values >> 11) * 8 + 4, (values >> 5 & 63) * 4 + 2, (values & 31) * 8 + 4]
    return np.stack(channels, -1).astype(np.uint8)


def _encode_rgb565(pixels):
    """Without the lower bits, as sensors do."""
    red, green, blue = np.moveaxis(pixels.astype(np.uint16), -1, 0)
    return red >> 3 << 11 | green >> 2 << 5 | blue >> 3


def _rgb565(order):
    dtype = np.dtype(order + "u2")

    def decode(rows):
        return _decode_rgb565(np.ascontiguousarray(rows).view(dtype).astype(np.uint16))

    def encode(pixels):
        return np.ascontiguousarray(_encode_rgb565(pixels).astype(dtype)).view(np.uint8)

    return Format(2, decode, encode)


def _decode_yuyv(rows):
    pairs = rows.reshape(*rows.shape[:-1], -1, 4).astype(np.int32)
    y = 298 * (pairs[..., 0::2] - 16) + 128
    u, v = pairs[..., 1:2] - 128, pairs[..., 3:4] - 128
    colours = np.stack([y + 409 * v, y - 100 * u - 208 * v, y + 516 * u], -1) >> 8
    return np.clip(colours, 0, 255).astype(np.uint8).reshape(*rows.shape[:-1], -1, 3)


def _encode_yuyv(pixels):
    """BT.601 of pairs of pixels, whose U and V are those of their mean."""
    pairs = pixels.reshape(*pixels.shape[:-2], -1, 2, 3).astype(np.float64) / 256
    mean = pairs.mean(axis=-2)
    y = 16 + pairs @ [65.738, 129.057, 25.064]
    u, v = 128 + mean @ [-37.945, -74.494, 112.439], 128 + mean @ [112.439, -94.154, -18.285]
    bytes_of = np.stack([y[..., 0], u, y[..., 1], v], -1)
    return np.rint(bytes_of).clip(0, 255).astype(np.uint8).reshape(*pixels.shape[:-2], -1)


def _encode_gray(pixels):
    return np.rint(pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


FORMATS = {
    "rgb565le": _rgb565("<"),
    "rgb565be": _rgb565(">"),
    "yuyv": Format(2, _decode_yuyv, _encode_yuyv),
    "rgb888": Format(3, lambda rows: rows.reshape(*rows.shape[:-1], -1, 3),
                     lambda pixels: pixels.reshape(*pixels.shape[:-2], -1)),
    "gray8": Format(1, lambda rows: np.stack([rows] * 3, -1), _encode_gray),
}


class Camera(NamedTuple):
    """A camera: the format of its pixels, one of FORMATS, and the width and height of a frame."""

    format: str
    width: int
    height: int

    @classmethod
    def parse(cls, text):
        """Read FORMAT:WxH, as ``rgb565le:320x240``.

        Raises
        ------
        InputError
            If it is not of that form, or of a camera that cannot be.
        """
        found = re.fullmatch(rf"({'|'.join(FORMATS)}):(\d{{1,5}})x(\d{{1,5}})", text)
        if not found:
            raise InputError(f"camera {text} is not FORMAT:WxH, with one of the formats {', '.join(FORMATS)}; "
                             "say for example rgb565le:320x240")
        camera = cls(found[1], int(found[2]), int(found[3]))
        if not (1 <= camera.width <= LONGEST and 1 <= camera.height <= LONGEST):
            raise InputError(f"camera {text}: sides are from 1 to {LONGEST} pixels; choose others")
        if camera.format == "yuyv" and camera.width % 2:
            raise InputError(f"camera {text}: yuyv has its pixels in pairs; choose an even width")
        return camera

    @property
    def row_bytes(self):
        """Bytes of a row."""
        return self.width * FORMATS[self.format].bytes

    def encode(self, pixels):
        """Turn RGB, uint8 of shape (height, width, 3), into what the camera delivers: uint8 (height, row_bytes)."""
        return FORMATS[self.format].encode(np.asarray(pixels))

    def decode(self, frame):
        """Turn what the camera delivers, uint8 (height, row_bytes), into RGB, uint8 of shape (height, width, 3)."""
        return FORMATS[self.format].decode(np.asarray(frame))

    def centre(self, rows, columns, part=CLASSIFIERS):
        """The part of a frame that becomes an image.

        Parameters
        ----------
        rows, columns : int
            Of the image.
        part : (int, int)
            Numerator and denominator: how much of the largest rectangle of the image's proportions is taken,
            CLASSIFIERS or DETECTORS.

        Returns
        -------
        Centre

        Raises
        ------
        InputError
            If the sums would not fit 32 bits.
        """
        def scaled(side, by, of):
            return max(1, (2 * side * by + of) // (2 * of))

        if columns * self.height <= self.width * rows:
            height = scaled(self.height, *part)
            width = min(scaled(height, columns, rows), self.width)
        else:
            width = scaled(self.width, *part)
            height = min(scaled(width, rows, columns), self.height)
        area = sum_of_weights(width, columns) * sum_of_weights(height, rows)
        if not 2 <= area <= LARGEST_AREA:
            size = "large" if area > 2 else "small"
            raise InputError(f"a camera of {self.width} x {self.height} pixels is too {size} "
                             f"for an image of {columns} x {rows}; choose another size of its frames")
        return Centre((self.width - width) // 2, (self.height - height) // 2, width, height)

    def image(self, frame, rows, columns, part=CLASSIFIERS):
        """Make the network's image of a frame.

        Parameters
        ----------
        frame : array of uint8, shape (height, row_bytes)
            As the camera delivers it.
        rows, columns, part
            As of `centre`.

        Returns
        -------
        numpy.ndarray
            uint8 RGB, shape (rows, columns, 3): what `pixels_to_input` takes.

        Raises
        ------
        InputError
            If the frame is not of this camera; or as `centre`.
        """
        frame = np.asarray(frame)
        if frame.dtype != np.uint8 or frame.shape != (self.height, self.row_bytes):
            raise InputError(f"a frame of {self.height} rows of {self.row_bytes} bytes is wanted, not {frame.dtype} "
                             f"{frame.shape}")
        left, top, width, height = self.centre(rows, columns, part)
        pixels = self.decode(frame)[top:top + height, left:left + width]
        # float64 is exact: the sums have 32 bits.
        by_columns = weights(width, columns).astype(np.float64) @ pixels.astype(np.float64)
        total = np.tensordot(weights(height, rows).astype(np.float64), by_columns, 1)
        return mean(total.astype(np.int64), sum_of_weights(width, columns) * sum_of_weights(height, rows))


def mean(total, area):
    """Return sums, int64, over the `area` of their weights, rounded: uint8."""
    return (total * inverse_of(area) + (1 << 31) >> 32).astype(np.uint8)


def inverse_of(area):
    """Return 2^32 / area, rounded."""
    return ((1 << 33) + area) // (2 * area)


def sum_of_weights(source, target):
    """Return what the weights of a pixel add up to where `source` pixels become `target`."""
    return source if source >= target else 2 * target


def weights(source, target):
    """Return the weights of resampling along an axis, int64 of shape (target, source); each row's sum is the same."""
    i, j = np.arange(source), np.arange(target)[:, None]
    if source >= target:
        return np.maximum(0, np.minimum((i + 1) * target, (j + 1) * source) - np.maximum(i * target, j * source))
    place = (2 * j + 1) * source - target
    first, fraction = place // (2 * target), place % (2 * target)
    return ((i == np.clip(first, 0, source - 1)) * (2 * target - fraction)
            + (i == np.clip(first + 1, 0, source - 1)) * fraction)
