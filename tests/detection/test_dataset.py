"""Pictures with boxes: Pascal VOC's layout, what is refused, augmentation, the drawn shapes."""

import random as python_random

import cv2
import numpy as np
import pytest
from gluoncv.data.transforms.experimental.bbox import random_crop_with_constraints
from gluoncv.data.transforms.experimental.image import random_color_distort
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from gluon_etinynet._mxnet import mx
from gluon_etinynet.data import Loading
from gluon_etinynet.detection import augment
from gluon_etinynet.detection.augment import augment_detection
from gluon_etinynet.detection.dataset import DetectionSource, classes_of, read_voc
from gluon_etinynet.detection.shapes_dataset import SHAPES, annotation, draw, write_shapes
from gluon_etinynet.files import InputError

OBJECT = ("<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{box[0]}</xmin>"
          "<ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>")


def make(root, objects, name="000001", size=(80, 60), split="train"):
    """One picture of grey and its annotation, as Pascal VOC writes it (pixels from 1)."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "JPEGImages" / f"{name}.jpg"), np.full((size[1], size[0], 3), 128, np.uint8))
    text = "".join(OBJECT.format(name=label, difficult=difficult, box=box) for label, difficult, box in objects)
    (root / "Annotations" / f"{name}.xml").write_text(
        f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{text}</annotation>")
    with open(root / "ImageSets" / "Main" / f"{split}.txt", "a") as listing:
        listing.write(f"{name}\n")
    return root


def test_reads_pixels_from_zero_and_difficult(tmp_path):
    make(tmp_path, [("Dog", 0, (1, 1, 80, 60)), ("cat", 1, (11, 21, 31, 41))])
    item, = read_voc(tmp_path, "train", ["cat", "dog"])
    assert (item.width, item.height, item.path.name) == (80, 60, "000001.jpg")
    assert item.boxes.tolist() == [[0, 0, 79, 59, 1, 0], [10, 20, 30, 40, 0, 1]]
    assert classes_of(tmp_path, "train") == ["cat", "dog"]


def test_reads_several_splits_of_a_root_with_years(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        make(tmp_path / year, [("dog", 0, (1, 1, 5, 5))], name=year, split="trainval")
    found = read_voc(tmp_path, "VOC2007/trainval,VOC2012/trainval", ["dog"])
    assert [item.path.stem for item in found] == ["VOC2007", "VOC2012"]


@pytest.mark.parametrize("objects, word", [
    ([("bird", 0, (1, 1, 5, 5))], "bird is not one of the 2 classes"),
    ([("dog", 0, (20, 1, 5, 5))], "inverted"),
    ([("dog", 0, (5, 5, 5, 20))], "inverted"),
    ([("dog", 0, (1, 1, 90, 5))], "outside the picture of 80 x 60"),
    ([("dog", 0, (0, 1, 9, 5))], "outside"),
    ([("dog", 0, ("x", 1, 9, 5))], "not a Pascal VOC annotation"),
    ([("dog", 0, ("nan", 1, 9, 5))], "outside"),
])
def test_refuses_an_annotation_and_names_it(tmp_path, objects, word):
    make(tmp_path, objects)
    with pytest.raises(InputError, match=word) as raised:
        read_voc(tmp_path, "train", ["cat", "dog"])
    assert "000001.xml" in str(raised.value) and "\n" not in str(raised.value)


def test_a_picture_may_be_all_background(tmp_path):
    make(tmp_path, [])
    with pytest.raises(InputError, match="no picture of .*, train, has an object"):
        read_voc(tmp_path, "train", ["dog"])
    make(tmp_path, [("dog", 0, (1, 1, 41, 31))], name="000002")
    annotated = read_voc(tmp_path, "train", ["dog"])
    assert [item.boxes.shape for item in annotated] == [(0, 6), (1, 6)]
    for train in (False, True):
        source = DetectionSource(annotated, Loading(2, 64, classes=1, train=train))
        for number in range(20 if train else 1):
            (data, label), = source.epoch(number)
            assert data.shape == (2, 3, 64, 64) and label.shape == (2, 1, 6)
            assert sorted(label.asnumpy()[:, 0, 4]) in ([-1, 0], [-1, -1])  # a crop may leave hardly any of the dog


def test_one_damaged_picture_among_many_is_named(tmp_path):
    for number in range(6):
        make(tmp_path, [("dog", 0, (1, 1, 41, 31))], name=f"00000{number}")
    path = tmp_path / "JPEGImages" / "000004.jpg"
    path.write_bytes(path.read_bytes()[:300])
    annotated = read_voc(tmp_path, "train", ["dog"])
    for train in (False, True):
        with pytest.raises(InputError, match="000004.jpg is not a picture that can be used"):
            list(DetectionSource(annotated, Loading(2, 64, classes=1, train=train)).epoch())


@pytest.mark.parametrize("identifier", ["/", "../a", "folder/a", "/etc/passwd", ".."])
def test_an_identifier_does_not_lead_out_of_the_layout(tmp_path, identifier):
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text(f"a\n{identifier}\n")
    with pytest.raises(InputError, match=r"train\.txt: .* is not the identifier of a picture.*correct it"):
        read_voc(tmp_path, "train", ["dog"])


def test_refuses_missing_files_and_empty_splits(tmp_path):
    make(tmp_path, [("dog", 0, (1, 1, 5, 5))])
    (tmp_path / "ImageSets/Main/none.txt").write_text("\n")
    with pytest.raises(InputError, match="none.txt names no picture"):
        read_voc(tmp_path, "none", ["dog"])
    with pytest.raises(InputError, match="cannot read .*val.txt"):
        read_voc(tmp_path, "val", ["dog"])
    (tmp_path / "Annotations/000001.xml").rename(tmp_path / "kept.xml")
    with pytest.raises(InputError, match="cannot read .*000001.xml"):
        read_voc(tmp_path, "train", ["dog"])
    (tmp_path / "Annotations/000001.xml").write_text("<annotation>")
    with pytest.raises(InputError, match="000001.xml is not a Pascal VOC annotation"):
        read_voc(tmp_path, "train", ["dog"])
    (tmp_path / "kept.xml").rename(tmp_path / "Annotations/000001.xml")
    (tmp_path / "JPEGImages/000001.jpg").unlink()
    with pytest.raises(InputError, match="has no picture .*000001"):
        read_voc(tmp_path, "train", ["dog"])


def test_source_gives_integers_and_padded_boxes(tmp_path):
    make(tmp_path, [("dog", 0, (1, 1, 41, 31)), ("dog", 1, (41, 31, 80, 60))])
    make(tmp_path, [("cat", 0, (1, 1, 41, 31))], name="000002")
    source = DetectionSource(read_voc(tmp_path, "train", ["cat", "dog"]), Loading(2, 64, classes=2))
    (data, label), = source.epoch()
    assert data.shape == (2, 3, 64, 64) and (data.asnumpy() == 0).all()  # grey 128
    assert label.shape == (2, 2, 6)
    np.testing.assert_allclose(label.asnumpy()[0, 0], [0, 0, 32, 32, 1, 0])
    assert label.asnumpy()[0, 1, 5] == 1 and (label.asnumpy()[1, 1] == -1).all()


def test_source_refuses_a_picture_of_another_size(tmp_path):
    make(tmp_path, [("dog", 0, (1, 1, 5, 5))])
    cv2.imwrite(str(tmp_path / "JPEGImages/000001.jpg"), np.zeros((60, 90, 3), np.uint8))
    with pytest.raises(InputError, match="000001.jpg has 90 x 60 pixels, its annotation says 80 x 60"):
        list(DetectionSource(read_voc(tmp_path, "train", ["dog"]), Loading(1, 256, classes=1)).epoch())


def test_source_needs_the_number_of_classes(tmp_path):
    make(tmp_path, [("dog", 0, (1, 1, 5, 5))])
    with pytest.raises(InputError, match="classes is missing"):
        DetectionSource(read_voc(tmp_path, "train", ["dog"]), Loading(1, 64))


def test_training_samples_depend_on_seed_epoch_and_number_alone(tmp_path):
    write_shapes(tmp_path / "shapes", train=4, val=1)
    annotated = read_voc(tmp_path / "shapes", "train", SHAPES)

    def samples(epoch, threads):
        source = DetectionSource(annotated, Loading(4, 64, classes=4, train=True, seed=3, threads=threads))
        return [array.asnumpy() for batch in source.epoch(epoch) for array in batch]

    first, again, other = samples(1, 1), samples(1, 2), samples(2, 1)
    assert all((a == b).all() for a, b in zip(first, again)) and not (first[0] == other[0]).all()


@settings(max_examples=60)
@given(st.integers(0, 2 ** 31 - 1), st.sampled_from(["ssd", "mirror", "none"]))
def test_augmented_boxes_stay_on_their_objects(seed, augmentation):
    """A white rectangle on black: what is inside the box after it all is white, what is well outside is not."""
    random = np.random.RandomState(seed)
    left, top = random.randint(5, 40, 2)
    right, bottom = left + random.randint(30, 50), top + random.randint(30, 40)
    image = np.zeros((90, 110, 3), np.uint8)
    image[top:bottom, left:right] = 255
    given_boxes = np.array([[left, top, right, bottom, 2, 1]], np.float32)
    before = given_boxes.copy()
    picture, boxes = augment_detection(image, given_boxes, 128, random, augmentation)
    assert picture.shape == (128, 128, 3) and picture.dtype == np.uint8 and (given_boxes == before).all()
    for box in boxes:
        assert (box[:4] >= 0).all() and (box[:4] <= 128).all() and box[4:].tolist() == [2, 1]
        x0, y0, x1, y1 = np.rint(box[:4]).astype(int)
        margin = 4
        inside = picture[y0 + margin:y1 - margin, x0 + margin:x1 - margin].mean(axis=2)
        assert inside.size == 0 or inside.min() > 80  # contrast and brightness may have dimmed it
        outside = picture.mean(axis=2).copy()
        outside[max(0, y0 - margin):y1 + margin, max(0, x0 - margin):x1 + margin] = 0
        assert outside.max() < 160  # black, lit up at most, and the grey of the canvas
    if augmentation != "ssd":
        assert len(boxes) == 1


def alike(ours, theirs):
    """Whether two samples, rows of numbers, may have one distribution, column by column (Kolmogorov and Smirnov)."""
    return all(ks_2samp(a, b).pvalue > 1e-3 for a, b in zip(np.transpose(ours), np.transpose(theirs)))


def test_colours_are_drawn_as_gluoncv_draws_them():
    """GluonCV's on black and the three colours, which make up its matrix; its hue in the half turns that it counts."""
    pixels = mx.nd.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])

    def theirs(**limits):
        values = random_color_distort(pixels.copy(), hue_delta=augment.HUE, **limits).asnumpy()[0]
        return [*(values[1:] - values[0]).T.ravel(), *values[0]]

    random = np.random.RandomState(0)
    ours = [(matrix[:, :3].ravel(), matrix[:, 3]) for matrix in (augment.random_colours(random) for _ in range(700))]
    ours = [np.concatenate(one) for one in ours]
    np.random.seed(1)
    python_random.seed(1)
    assert alike(ours, [theirs() for _ in range(700)])
    assert not alike(ours, [theirs(contrast_low=0.8, contrast_high=1.2) for _ in range(700)])


def test_crops_are_drawn_as_gluoncv_draws_them():
    boxes = np.array([[20, 10, 100, 70, 0]], np.float32)  # one large box: few trials fail, which take GluonCV time
    random = np.random.RandomState(0)

    def theirs(**limits):
        kept, crop = random_crop_with_constraints(boxes, (120, 80), **limits)
        return [len(kept), *crop]

    ours = [(len(kept), *crop) for kept, crop in (augment.random_crop(boxes, 120, 80, random) for _ in range(250))]
    np.random.seed(1)
    python_random.seed(1)
    assert alike(ours, [theirs() for _ in range(250)])
    assert not alike(ours, [theirs(constraints=((None, 1),)) for _ in range(250)])


@pytest.mark.parametrize("seed", range(8))
def test_shapes_are_where_their_annotations_say(seed):
    """On a background of one colour, the pixels that changed are found without knowing how they were drawn."""
    background = np.full((300, 300, 3), 128, np.uint8)
    image, objects = draw([background], np.random.RandomState(seed))
    changed = np.abs(image.astype(int) - 128).max(axis=2) > 0
    covered = np.zeros_like(changed)
    for _, (left, top, right, bottom) in objects:
        rows, columns = np.nonzero(changed[top:bottom + 1, left:right + 1])
        assert rows.min() <= 2 and columns.min() <= 2
        assert rows.max() >= bottom - top - 2 and columns.max() >= right - left - 2
        covered[top - 1:bottom + 2, left - 1:right + 2] = True  # an edge is smoothed over a pixel
    assert objects and not (changed & ~covered).any()


def test_shapes_are_the_same_again_and_appear_whole(tmp_path):
    for name in ("one", "two"):
        write_shapes(tmp_path / name, train=3, val=2, seed=5)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
    assert len(read_voc(tmp_path / "one", "train", SHAPES)) == 3 and len(read_voc(tmp_path / "one", "val", SHAPES)) == 2
    with pytest.raises(InputError, match="exists already"):
        write_shapes(tmp_path / "one")
    with pytest.raises(InputError, match="val = 0 is not a whole number from 1"):
        write_shapes(tmp_path / "three", val=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_annotations_are_escaped(tmp_path):
    assert "<name>a &amp; b</name>" in annotation("x.jpg", (10, 10, 3), [("a & b", (0, 0, 4, 4))])


def test_difficult_may_be_missing(tmp_path):
    make(tmp_path, [("dog", 1, (1, 1, 5, 5))])
    path = tmp_path / "Annotations" / "000001.xml"
    path.write_text(path.read_text().replace("<difficult>1</difficult>", ""))
    assert read_voc(tmp_path, "train", ["dog"])[0].boxes.tolist() == [[0, 0, 4, 4, 0, 0]]


@pytest.mark.parametrize("difficult, read", [("", 0), ("0.0", 0), ("Unspecified", 0), ("1", 1), ("1.0", 1), ("nan", 0)])
def test_what_other_tools_write_of_difficult(tmp_path, difficult, read):
    make(tmp_path, [("dog", difficult, (1, 1, 5.5, 5))])
    assert read_voc(tmp_path, "train", ["dog"])[0].boxes.tolist() == [[0, 0, 4.5, 4, 0, read]]


def test_habits_of_other_tools(tmp_path):
    for name in ("one", "two", "three"):
        make(tmp_path, [("dog", 0, (1, 1, 5, 5))], name=name)
    (tmp_path / "JPEGImages/one.jpg").rename(tmp_path / "JPEGImages/one.JPG")
    (tmp_path / "ImageSets/Main/dog_train.txt").write_bytes(b"\xef\xbb\xbfone  1\r\ntwo -1\r\nthree  0\r\n")
    assert [item.path.name for item in read_voc(tmp_path, "dog_train", ["dog"])] == ["one.JPG", "three.jpg"]
    make(tmp_path / "zero", [("dog", 0, (0, 0, 5, 5))])
    with pytest.raises(InputError, match="VOC counts from 1"):
        read_voc(tmp_path / "zero", "train", ["dog"])
    make(tmp_path / "line", [("do\ng", 0, (1, 1, 5, 5))])
    with pytest.raises(InputError, match=r"000001.xml: 'do\\ng' is not the name of a class"):
        classes_of(tmp_path / "line", "train")
