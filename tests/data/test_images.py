"""Preprocessing against ImageRecordIter, labels, and pictures that are damaged."""

import contextlib
import io
import math
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from gluon_etinynet import InputError
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data.headers import size_of
from gluon_etinynet.data.images import (
    center_crop,
    decode,
    index_folder,
    pictures_below,
    preprocess,
    read_image,
    read_inputs,
    resize_short,
)


def texture(height, width, seed=0):
    """A smooth random picture: JPEG treats it as it treats a photograph."""
    noise = np.random.RandomState(seed).randint(0, 256, (8, 8, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def jpeg(height=120, width=90, seed=0):
    return cv2.imencode(".jpg", texture(height, width, seed))[1].tobytes()


def through_record_iter(contents, size, resize, folder):
    record = mx.recordio.MXIndexedRecordIO(str(folder / "x.idx"), str(folder / "x.rec"), "w")
    for index, content in enumerate(contents):
        record.write_idx(index, mx.recordio.pack(mx.recordio.IRHeader(0, index, index, 0), content))
    record.close()
    batches = mx.io.ImageRecordIter(path_imgrec=str(folder / "x.rec"), data_shape=(3, size, size), batch_size=1,
                                    resize=resize, mean_r=128, mean_g=128, mean_b=128, preprocess_threads=1)
    return [batch.data[0][0].asnumpy() for batch in batches]


@pytest.mark.parametrize("size, resize", [(224, 256), (64, 74)])
def test_equals_record_iter(size, resize, tmp_path):
    contents = [jpeg(h, w, i) for i, (h, w) in enumerate([(300, 400), (401, 300), (256, 256), (120, 333), (900, 257)])]
    for content, expected in zip(contents, through_record_iter(contents, size, resize, tmp_path)):
        np.testing.assert_array_equal(preprocess(decode(content), size), expected)


def test_equals_record_iter_on_photographs(data_dir, tmp_path):
    contents = [path.read_bytes() for folder in ("imagenet-train1k", "imagenet-val430", "imagenette-val500")
                for path in sorted((data_dir / folder / "images").iterdir())[::40]]
    assert len(contents) > 40
    for content, expected in zip(contents, through_record_iter(contents, 224, 256, tmp_path)):
        np.testing.assert_array_equal(preprocess(decode(content)), expected)


def test_values_are_pixel_minus_128():
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    np.testing.assert_array_equal(preprocess(image, 16, 1.0), image.astype(int).transpose(2, 0, 1) - 128)


def test_channels_are_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "red.png"), np.full((9, 9, 3), (0, 0, 255), np.uint8))
    assert read_image(tmp_path / "red.png")[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (256, 1000), (257, 256)])
def test_short_side(shape):
    resized = resize_short(np.zeros(shape + (3,), np.uint8), 256)
    assert min(resized.shape[:2]) == 256
    assert max(resized.shape[:2]) == 256 * max(shape) // min(shape)


@pytest.mark.parametrize("content, word", [(b"", "not a picture"), (b"text", "not a picture"),
                                           (jpeg()[:700], "truncated"), (jpeg()[:-2], "truncated")])
def test_damaged_picture_is_named(content, word, tmp_path):
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(InputError, match=f"x.jpg.*{word}"):
        read_image(tmp_path / "x.jpg")


def test_trailing_bytes_are_no_damage(tmp_path):
    (tmp_path / "x.jpg").write_bytes(jpeg() + b"\0" * 50)
    read_image(tmp_path / "x.jpg")


def labelled(folder, rows, header="file,wnid,class_index"):
    (folder / "images").mkdir(parents=True)
    for name, _ in rows:
        (folder / "images" / name).write_bytes(jpeg())
    (folder / "labels.csv").write_text("\n".join([header] + [f"images/{n},{w},0" for n, w in rows]) + "\n")


def test_labels_file(tmp_path):
    labelled(tmp_path, [("a.jpg", "n2"), ("b.jpg", "n1")])
    items, classes = index_folder(tmp_path)
    assert classes == ["n1", "n2"]
    assert [(path.name, index) for path, index in items] == [("a.jpg", 1), ("b.jpg", 0)]
    items, _ = index_folder(tmp_path, ["n0", "n1", "n2"])
    assert [index for _, index in items] == [2, 1]


def test_class_folders(tmp_path):
    for name in ("n2", "n1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.JPEG").write_bytes(jpeg())
        (tmp_path / name / "notes.txt").write_text("no picture")
    items, classes = index_folder(tmp_path)
    assert classes == ["n1", "n2"]
    assert [(path.parent.name, index) for path, index in items] == [("n1", 0), ("n2", 1)]


def test_unknown_wnid_names_the_line(tmp_path):
    labelled(tmp_path, [("a.jpg", "n1"), ("b.jpg", "n9")])
    with pytest.raises(InputError, match=r"labels.csv line 3: n9"):
        index_folder(tmp_path, ["n1"])
    (tmp_path / "folders" / "n9").mkdir(parents=True)
    (tmp_path / "folders" / "n9" / "a.jpg").write_bytes(jpeg())
    with pytest.raises(InputError, match="n9"):
        index_folder(tmp_path / "folders", ["n1"])


def test_labels_file_names_a_missing_picture(tmp_path):
    labelled(tmp_path, [("a.jpg", "n1")])
    (tmp_path / "images" / "a.jpg").unlink()
    with pytest.raises(InputError, match="line 2 names images/a.jpg"):
        index_folder(tmp_path)


def test_other_columns_empty_and_missing_folders(tmp_path):
    labelled(tmp_path / "x", [("a.jpg", "n1")], header="path,label,index")
    with pytest.raises(InputError, match="lacks a file or a wnid"):
        index_folder(tmp_path / "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no labelled pictures"):
        index_folder(tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        index_folder(tmp_path / "nothing")


def test_pictures_of_a_folder_and_of_a_list(tmp_path):
    """A list in Pascal VOC's layout names pictures of JPEGImages; others beside them are not seen."""
    (tmp_path / "JPEGImages" / "more").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "c.jpg", "more/a.jpg", "a.txt"):
        (tmp_path / "JPEGImages" / name).write_bytes(jpeg())
    listing = tmp_path / "ImageSets" / "Main" / "train.txt"
    listing.write_text("b  1\n\na -1\nabsent\n")

    def names(found):
        return [path.relative_to(tmp_path / "JPEGImages").as_posix() for path in found]

    assert names(pictures_below(tmp_path)) == ["a.jpg", "b.png", "c.jpg", "more/a.jpg"]
    assert names(pictures_below(listing)) == ["b.png"]
    listing.write_text("absent\n")
    with pytest.raises(InputError, match="train.txt holds no pictures"):
        pictures_below(listing)
    with pytest.raises(InputError, match="cannot read .*test.txt: No such file"):
        pictures_below(listing.with_name("test.txt"))


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".gif", ".jp2", ".ppm", ".pgm"])
def test_sides_are_read_off_the_header(extension):
    if extension == ".gif":  # not every OpenCV writes it
        file = io.BytesIO()
        Image.new("L", (133, 80)).save(file, "gif")
        content = file.getvalue()
    else:
        image = np.zeros((80, 133, 3), np.uint8)[..., :1 if extension == ".pgm" else 3]
        content = cv2.imencode(extension, image)[1].tobytes()
    assert size_of(content) == (133, 80)
    for length in range(0, 40, 3):
        with contextlib.suppress(ValueError):
            assert size_of(content[:length]) == (133, 80)


def between(values, positions):
    """Linear interpolation, the ends going on."""
    return np.interp(positions, np.arange(len(values)) + 0.5, values)


@pytest.mark.parametrize("shape", [(1, 60000), (60000, 1), (60001, 1), (300000, 1), (2, 100000), (3, 100001)])
@pytest.mark.parametrize("size, ratio", [(224, 0.875), (250, 1.0)])
def test_the_centre_of_a_strip_is_what_is_read(shape, size, ratio, tmp_path):
    """Bilinear resizing after its formula, for the pixels of the crop alone."""
    draw = np.random.RandomState(0)
    long, short = (draw.randint(0, 256, extent).astype(float) for extent in (max(shape), min(shape)))
    strip = np.rint(np.add.outer(long, short) / 2).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "strip.png"), strip if shape[0] > shape[1] else strip.T)
    (found,), resized = read_inputs([tmp_path / "strip.png"], size, ratio), math.ceil(size / ratio)
    scale = min(shape) / resized
    begins = (int(max(shape) / scale) - size) // 2, (resized - size) // 2
    rows, columns = ((np.arange(size) + begin + 0.5) * scale for begin in begins)
    expected = np.add.outer(between(long, rows), between(short, columns)) / 2 - 128
    expected = expected if shape[0] > shape[1] else expected.T
    # The whole and its middle begin at most a pixel of the crop apart, which is a step of 255 * scale.
    assert abs(found - expected).max() <= 255 * scale + 2


def test_a_picture_that_is_resized_whole_stays_as_it_was():
    image = texture(40, 4000)
    resized = cv2.resize(image, (25600, 256), interpolation=cv2.INTER_LINEAR)
    assert resized.size > 19_000_000
    np.testing.assert_array_equal(center_crop(image, 224, 0.875), resized[16:240, 12688:12912])


def test_more_pixels_than_are_read_are_refused_by_the_header(tmp_path):
    content = bytearray(cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes())
    content[16:24] = struct.pack(">II", 40000, 40000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "large.png").write_bytes(content)
    with pytest.raises(InputError, match=r"large.png is .*40000 x 40000 pixels, more than 100000000\); replace"):
        read_image(tmp_path / "large.png")


def test_hidden_files_and_folders_are_no_data(tmp_path):
    for name in ("a/1.jpg", "a/._1.jpg", "b/2.jpg", ".ipynb_checkpoints/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(jpeg())
    items, classes = index_folder(tmp_path)
    assert classes == ["a", "b"] and [path.name for path, _ in items] == ["1.jpg", "2.jpg"]
    assert [path.name for path in pictures_below(tmp_path)] == ["1.jpg", "2.jpg"]
    with pytest.raises(InputError, match="absent .*does not exist"):
        pictures_below(tmp_path / "absent")


@pytest.mark.parametrize("text, match", [("file;wnid\nimages/a.jpg;n1\n", "semicolons"),
                                         (f"file,wnid\n{'x' * 5000},n1\n", "too long"),
                                         ('file,wnid\nimages/a.jpg,"n\n1"\n', "not the name of a class")])
def test_a_table_of_another_form_says_which(tmp_path, text, match):
    labelled(tmp_path, [("a.jpg", "n1")])
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=match):
        index_folder(tmp_path)
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbffile,wnid\r\nimages/a.jpg,n1\r\n")  # as Excel writes it
    assert index_folder(tmp_path)[1] == ["n1"]
