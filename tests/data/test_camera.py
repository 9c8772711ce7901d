"""Camera frames as images: against exact fractions, OpenCV, and colours that are known."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_etinynet.data.camera import DETECTORS, FORMATS, Camera, mean, weights
from gluon_etinynet.data.images import center_crop, frame_seen
from gluon_etinynet.files import InputError


def resampled(values, target):
    """A list of numbers as `target` numbers, in fractions: by area, or linearly between centres, held at the ends."""
    n, size = len(values), Fraction(len(values), target)
    if n >= target:
        return [sum(max(Fraction(0), min(i + 1, (j + 1) * size) - max(i, j * size)) * v
                    for i, v in enumerate(values)) / size for j in range(target)]
    found = []
    for j in range(target):
        place = min(max((j + Fraction(1, 2)) * size - Fraction(1, 2), 0), n - 1)
        i = min(int(place), max(n - 2, 0))
        found.append(values[i] + (place - i) * (values[min(i + 1, n - 1)] - values[i]))
    return found


@settings(max_examples=40)
@given(st.integers(1, 16), st.integers(1, 16))
def test_weights_are_the_exact_ones(source, target):
    matrix = weights(source, target)
    assert len(set(matrix.sum(axis=1).tolist())) == 1 and matrix.min() >= 0
    for i in range(source):
        unit = [int(i == k) for k in range(source)]
        assert [Fraction(int(w), int(matrix[0].sum())) for w in matrix[:, i]] == resampled(unit, target)


@pytest.mark.parametrize("height, width, rows, columns", [(9, 13, 4, 4), (5, 7, 8, 6), (12, 9, 12, 3)])
def test_an_image_is_the_exact_mean_rounded(height, width, rows, columns):
    pixels = np.random.RandomState(height).randint(0, 256, (height, width, 3)).astype(np.uint8)
    camera = Camera("rgb888", width, height)
    left, top, w, h = camera.centre(rows, columns)
    image = camera.image(camera.encode(pixels), rows, columns)
    for channel in range(3):
        along = [resampled([int(v) for v in row], columns) for row in pixels[top:top + h, left:left + w, channel]]
        exact = np.array([resampled(list(column), rows) for column in zip(*along)]).T
        assert image.shape == (rows, columns, 3)
        assert max(abs(Fraction(int(a)) - b) for a, b in zip(image[..., channel].ravel(), exact.ravel())) <= \
            Fraction(1, 2) + Fraction(1, 1000)


@pytest.mark.parametrize("width, height", [(320, 240), (240, 320), (640, 480)])
def test_the_centre_is_that_of_the_photographs(width, height):
    """As `center_crop` cuts it: a smooth picture becomes nearly the same."""
    y, x = np.mgrid[:height, :width]
    picture = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], -1).astype(np.uint8)
    camera = Camera("rgb888", width, height)
    mine = camera.image(camera.encode(picture), 224, 224).astype(int)
    assert np.abs(mine - center_crop(picture, 224, 0.875)).max() <= 2
    side = min(width, height)
    assert camera.centre(224, 224)[2:] == (side * 7 // 8,) * 2
    assert camera.centre(224, 224, DETECTORS)[2:] == (side, side)


def test_reduction_by_a_whole_number_is_opencvs():
    picture = np.random.RandomState(0).randint(0, 256, (256, 256, 3)).astype(np.uint8)
    camera = Camera("rgb888", 256, 256)
    mine = camera.image(camera.encode(picture), 56, 56)
    theirs = cv2.resize(picture[16:240, 16:240], (56, 56), interpolation=cv2.INTER_AREA)
    assert np.abs(mine.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("name, encoded, colours", [
    ("rgb565le", [0x00, 0xf8, 0xe0, 0x07], [(252, 2, 4), (4, 254, 4)]),
    ("rgb565be", [0xf8, 0x00, 0x00, 0x1f], [(252, 2, 4), (4, 2, 252)]),
    ("rgb888", [1, 2, 3, 4, 5, 6], [(1, 2, 3), (4, 5, 6)]),
    ("gray8", [7, 250], [(7, 7, 7), (250, 250, 250)]),
    ("yuyv", [81, 90, 81, 240], [(255, 0, 0)] * 2),  # BT.601's own example
    ("yuyv", [235, 128, 16, 128], [(255, 255, 255), (0, 0, 0)]),
])
def test_known_colours(name, encoded, colours):
    camera = Camera(name, 2, 1)
    found = camera.decode(np.array([encoded], np.uint8))[0].astype(int)
    assert np.abs(found - colours).max() <= (1 if name == "yuyv" else 0)


@pytest.mark.parametrize("name, error", [("rgb565le", 4), ("rgb565be", 4), ("rgb888", 0), ("yuyv", 3)])
def test_what_is_encoded_is_decoded(name, error):
    """Of grey and of smooth colours, to the bits that the format has."""
    x = np.arange(256)
    pixels = np.stack([np.stack([x, x, x], -1), np.stack([x, 255 - x, np.full(256, 90)], -1)]).astype(np.uint8)
    camera = Camera(name, 256, 2)
    encoded = camera.encode(pixels)
    assert encoded.shape == (2, camera.row_bytes) and encoded.dtype == np.uint8
    assert np.abs(camera.decode(encoded).astype(int) - pixels).max() <= error


@pytest.mark.parametrize("height, width, seen", [(30, 60, slice(0, 32)), (48, 24, slice(4, 28))])
def test_what_a_camera_sees_of_a_picture(height, width, seen):
    """Its centre, short sides made equal; grey beside it."""
    picture = np.full((height, width, 3), 7, np.uint8)
    picture[height // 2, width // 2] = 200
    frame = frame_seen(picture, 32, 24)
    assert frame.shape == (24, 32, 3) and frame.dtype == np.uint8
    inside = np.zeros((24, 32), bool)
    inside[:, seen] = True
    assert (frame[~inside] == 114).all() and frame[inside].min() < 10
    brightest = np.unravel_index(np.where(inside, frame[..., 0], 0).argmax(), (24, 32))
    assert np.abs(np.array(brightest) - (12, 16)).max() <= 1


def test_orders_of_bytes_differ_by_a_swap():
    pixels = np.random.RandomState(1).randint(0, 256, (3, 5, 3)).astype(np.uint8)
    low, high = (Camera(name, 5, 3).encode(pixels) for name in ("rgb565le", "rgb565be"))
    assert np.array_equal(low.reshape(3, 5, 2)[..., ::-1].reshape(3, 10), high) and (low != high).any()


@given(st.integers(2, 1 << 24), st.integers(0, 255))
def test_the_mean_of_equal_values_is_their_value(area, value):
    """Whose sums fill 32 bits at the largest area."""
    assert mean(np.array([value * area]), area) == value and value * area < 1 << 32


@pytest.mark.parametrize("name", FORMATS)
def test_a_uniform_picture_keeps_its_value(name):
    for width, height, rows, columns in ((320, 240, 50, 70), (30, 41, 50, 20)):
        camera = Camera(name, width, height)
        frame = camera.encode(np.full((height, width, 3), 255, np.uint8))
        assert (camera.image(frame, rows, columns) == camera.decode(frame)[0, 0]).all()


@pytest.mark.parametrize("text", ["", "rgb565le", "rgb565:320x240", "rgb888:320", "gray8:0x5", "gray8:9000x5",
                                  "yuyv:321x240", "gray8:12x5 ", "gray8:-1x5"])
def test_a_camera_that_cannot_be(text):
    with pytest.raises(InputError, match="camera"):
        Camera.parse(text)


def test_a_camera_that_does_not_fit_the_image():
    with pytest.raises(InputError, match="too large for an image of 8 x 8"):
        Camera.parse("gray8:8000x8000").centre(8, 8)
    with pytest.raises(InputError, match="too small"):
        Camera.parse("gray8:1x1").centre(1, 1)
    with pytest.raises(InputError, match="240 rows of 640 bytes is wanted"):
        Camera.parse("rgb565le:320x240").image(np.zeros((240, 639), np.uint8), 8, 8)
    assert Camera.parse("rgb565be:320x240") == ("rgb565be", 320, 240)
