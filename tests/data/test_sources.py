"""The sources: every sample counted, epochs repeatable, shares disjoint, preprocessing as expected."""

import itertools
import math

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from gluon_etinynet._mxnet import mx
from gluon_etinynet.data import images
from gluon_etinynet.data.augment import CROP_AREA, CROP_RATIO, augment, random_part
from gluon_etinynet.data.record_check import read_index
from gluon_etinynet.data.sources import ArraySource, FolderSource, Loading, RecordSource, seed_of
from gluon_etinynet.files import InputError

SAMPLES = 53  # prime: no batch size or number of parts divides it


def smooth_picture(seed, height=40, width=56):
    coarse = np.random.RandomState(seed).randint(0, 256, (5, 7, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def write_records(rec, pictures, labels):
    """Pack encoded pictures with MXNet's own writer."""
    writer = mx.recordio.MXIndexedRecordIO(str(rec.with_suffix(".idx")), str(rec), "w")
    for key, (picture, label) in enumerate(zip(pictures, labels)):
        writer.write_idx(key, mx.recordio.pack(mx.recordio.IRHeader(0, label, key, 0), picture))
    writer.close()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The same 53 pictures in each form; the label of a picture is its number."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures = [cv2.imencode(".jpg", smooth_picture(i, 40 + i % 5, 56 - i % 7))[1].tobytes()
                for i in range(SAMPLES)]
    for i, picture in enumerate(pictures):
        (folder / f"{i:02}.jpg").write_bytes(picture)
    write_records(folder / "all.rec", pictures, range(SAMPLES))
    return folder


@pytest.fixture(params=["array", "folder", "record"])
def make(request, stored):
    """A function that makes a source of the 53 pictures."""
    def make_source(batch_size, **options):
        loading = Loading(batch_size, size=32, **options)
        if request.param == "array":
            arrays = np.stack([smooth_picture(i, 24, 24) for i in range(SAMPLES)])
            return ArraySource(arrays, np.arange(SAMPLES), loading, shift=3, flip=True)
        if request.param == "folder":
            files = [(stored / f"{i:02}.jpg", i) for i in range(SAMPLES)]
            return FolderSource(files, loading)
        return RecordSource(stored / "all.rec", loading)

    return make_source


def in_full(source, number=0):
    return [(data.asnumpy(), label.asnumpy()) for data, label in source.epoch(number)]


def labels_of(source, number=0):
    return [int(label) for _, labels in source.epoch(number) for label in labels.asnumpy()]


def equal(one, other):
    """Whether two lists of batches have the same bits."""
    return len(one) == len(other) and all(
        np.array_equal(a, b) for batches in zip(one, other) for a, b in zip(*batches))


@pytest.mark.parametrize("batch_size", [1, 4, 7, 26, 52, 53, 54, 200])
def test_evaluation_yields_each_sample_once_in_order(make, batch_size):
    source = make(batch_size)
    batches = in_full(source)
    assert [int(label) for _, labels in batches for label in labels] == list(range(SAMPLES))
    assert [len(data) for data, _ in batches[:-1]] == [batch_size] * (len(source) - 1)
    assert source.samples == source.samples_per_epoch == SAMPLES and source.classes == SAMPLES
    for data, labels in batches:
        assert data.dtype == labels.dtype == np.float32 and data.shape == (len(labels), 3, 32, 32)
        assert data.min() >= -128 and data.max() <= 127 and (data == np.rint(data)).all()


@pytest.mark.parametrize("batch_size", [1, 4, 7, 26, 52, 53])
def test_training_drops_only_the_incomplete_batch(make, batch_size):
    source = make(batch_size, train=True)
    batches = in_full(source, 2)
    labels = [int(label) for _, labels in batches for label in labels]
    assert {len(data) for data, _ in batches} == {batch_size}
    assert len(labels) == len(set(labels)) == source.samples_per_epoch == SAMPLES // batch_size * batch_size
    assert labels != sorted(labels)
    assert len(source) == len(batches)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("num_parts", [2, 3, 5])
def test_each_sample_is_in_one_part(make, train, num_parts):
    parts = [make(2, train=train, part_index=i, num_parts=num_parts) for i in range(num_parts)]
    seen = [labels_of(part, 1) for part in parts]
    together = list(itertools.chain(*seen))
    assert len(together) == len(set(together))
    assert [len(labels) for labels in seen] == [part.samples_per_epoch for part in parts]
    if train:
        assert len({len(part) for part in parts}) == 1, "a worker would wait for the others for ever"
        assert len(together) > SAMPLES - num_parts * (2 + num_parts)
    else:
        assert sorted(together) == list(range(SAMPLES))


def test_an_epoch_depends_on_its_number_and_the_seed_alone(make):
    source = make(8, train=True, seed=3)
    kept = list(source.epoch(5))  # held, not copied: the iterator must not write into them again
    next(iter(source.epoch(1)))  # left in the middle
    in_full(source, 2)
    expected = in_full(source, 5)
    assert equal([(data.asnumpy(), label.asnumpy()) for data, label in kept], expected)
    assert equal(in_full(make(8, train=True, seed=3), 5), expected)
    assert not equal(in_full(source, 6), expected)
    assert not equal(in_full(make(8, train=True, seed=4), 5), expected)


@pytest.mark.parametrize("train", [False, True])
def test_threads_change_nothing(make, train):
    none, one, several = (in_full(make(8, train=train, threads=threads), 4) for threads in (0, 1, 3))
    assert equal(one, several) and equal(one, none)


def test_an_epoch_that_is_left_early_leaves_the_next_as_it_is(make):
    source = make(8, train=True, threads=2)
    expected = in_full(source, 1)
    next(source.epoch(0))
    assert equal(in_full(source, 1), expected)


def test_the_same_threads_read_every_epoch(stored):
    source = RecordSource(stored / "all.rec", Loading(8, 32, threads=2))
    for number in range(3):
        labels_of(source, number)
        assert len(source._pool._threads) == 2


def test_a_record_that_changed_after_the_check_is_named(stored, tmp_path):
    for name in ("all.rec", "all.idx"):
        (tmp_path / name).write_bytes((stored / name).read_bytes())
    source = RecordSource(tmp_path / "all.rec", Loading(8, 32), strict=True)
    key, begin = read_index(tmp_path / "all.idx")[3]
    with open(tmp_path / "all.rec", "r+b") as file:
        file.seek(begin + 4)
        file.write(b"\xff\xff\xff")
    with pytest.raises(InputError, match=rf"all\.rec: record {key} \(byte {begin}\): .*make_rec\.sh"):
        in_full(source)


def test_augmentation_differs_between_epochs_and_samples(make):
    source = make(SAMPLES, train=True)
    pictures = {}
    for number in range(4):
        (data, labels), = in_full(source, number)
        for picture, label in zip(data, labels):
            pictures.setdefault(int(label), set()).add(picture.tobytes())
    assert np.mean([len(variants) for variants in pictures.values()]) > 3.5


def test_too_few_samples_for_a_batch_is_said(make):
    with pytest.raises(InputError, match="53 samples are too few.*54.*smaller batch"):
        make(54, train=True)
    with pytest.raises(InputError, match="too few for 3 x one batch of 18"):
        make(18, train=True, part_index=0, num_parts=3)
    with pytest.raises(InputError, match="part 3 of 3"):
        make(1, part_index=3, num_parts=3)
    for bad, message in (({"batch_size": 0}, "batch_size = 0 is not a whole number from 1"), ({"size": 0}, "size = 0"),
                         ({"threads": -1}, "threads = -1 is not"), ({"classes": 0}, "classes = 0")):
        with pytest.raises(InputError, match=message):
            Loading(**{"batch_size": 1, **bad})


def test_files_need_a_size(stored):
    for make_source in (lambda loading: FolderSource([(stored / "00.jpg", 0)], loading),
                        lambda loading: RecordSource(stored / "all.rec", loading)):
        with pytest.raises(InputError, match="size is missing"):
            make_source(Loading(1))


def test_seeds_depend_on_every_number():
    seeds = [seed_of(a, b) for a in range(30) for b in range(30)]
    assert len(set(seeds)) == len(seeds) and all(0 <= seed < 2 ** 31 for seed in seeds)
    bits = np.unpackbits(np.array(seeds, ">u4").view(np.uint8)).reshape(-1, 32)[:, 1:]
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.08


# Preprocessing


def mxnets(rec, batch_size, size, **options):
    """What MXNet's own iterator gives of a record file."""
    batches = mx.io.ImageRecordIter(
        path_imgrec=str(rec), path_imgidx=str(rec.with_suffix(".idx")), data_shape=(3, size, size),
        batch_size=batch_size, mean_r=128, mean_g=128, mean_b=128, preprocess_threads=1, **options)
    return [(batch.data[0].asnumpy(), batch.label[0].asnumpy()) for batch in batches]


def assert_preprocessed_alike(files, rec, size, crop_ratio):
    folder = in_full(FolderSource(files, Loading(16, size), crop_ratio=crop_ratio))
    assert equal(folder, in_full(RecordSource(rec, Loading(16, size), crop_ratio=crop_ratio)))
    theirs = mxnets(rec, 1, size, resize=math.ceil(size / crop_ratio))
    assert equal(in_full(RecordSource(rec, Loading(1, size), crop_ratio=crop_ratio)), theirs)
    by_hand = images.read_inputs([path for path, _ in files], size, crop_ratio)
    assert np.array_equal(np.concatenate([data for data, _ in folder]), by_hand)


@pytest.mark.parametrize("size,crop_ratio", [(32, 0.875), (30, 0.9), (32, 1.0), (64, 0.875)])
def test_folder_records_mxnet_and_preprocess_agree_to_the_bit(stored, size, crop_ratio):
    files = [(stored / f"{i:02}.jpg", i) for i in range(SAMPLES)]
    assert_preprocessed_alike(files, stored / "all.rec", size, crop_ratio)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["imagenette-val500", "imagenet-val430"])
def test_they_agree_on_photographs(data_dir, tmp_path, name):
    files, _ = images.index_folder(data_dir / name)
    write_records(tmp_path / "all.rec", [path.read_bytes() for path, _ in files],
                  [label for _, label in files])
    assert_preprocessed_alike(files, tmp_path / "all.rec", 224, 0.875)


# Augmentation


@given(height=st.integers(1, 700), width=st.integers(1, 700), seed=st.integers(0, 2**31 - 1))
def test_random_part_lies_in_the_picture(height, width, seed):
    top, left, part_height, part_width = random_part(height, width, np.random.RandomState(seed))
    assert 0 <= top and 0 < part_height and top + part_height <= height
    assert 0 <= left and 0 < part_width and left + part_width <= width
    if 100 <= min(height, width) and max(height, width) <= 1.3 * min(height, width):
        slack = 1.05  # whole pixels
        area, ratio = part_height * part_width / (height * width), part_width / part_height
        assert CROP_AREA[0] / slack <= area <= CROP_AREA[1]
        assert CROP_RATIO[0] / slack <= ratio <= CROP_RATIO[1] * slack


def box_sides(batches):
    """Width and height of the parts cut from a picture whose red is x and whose green is y, and mirroring."""
    data = np.concatenate([data for data, _ in batches])
    red, green = data[:, 0].mean(1), data[:, 1].mean(2)  # over rows, over columns
    return np.ptp(red, axis=1), np.ptp(green, axis=1), red[:, 0] > red[:, -1]


def test_our_augmentation_is_distributed_as_mxnets(tmp_path):
    y, x = np.mgrid[:256, :256].astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([np.zeros_like(x), y, x]))  # OpenCV's order is BGR
    picture = (tmp_path / "a.png").read_bytes()
    count = 600
    write_records(tmp_path / "all.rec", [picture] * count, [0] * count)
    batches = [in_full(FolderSource([(tmp_path / "a.png", 0)] * count, Loading(100, 24, train=True))),
               mxnets(tmp_path / "all.rec", 100, 24, random_resized_crop=True, rand_mirror=True,
                      min_random_area=CROP_AREA[0], max_random_area=CROP_AREA[1],
                      min_aspect_ratio=CROP_RATIO[0], max_aspect_ratio=CROP_RATIO[1])]
    for each in batches:
        assert len({picture.tobytes() for data, _ in each for picture in data}) > 0.99 * count
    ours, theirs = map(box_sides, batches)
    for sides in (ours, theirs):
        area = sides[0] * sides[1] / 255**2
        assert area.min() < 0.15 and area.max() > 0.85
        assert abs(sides[2].mean() - 0.5) < 0.1
    for mine, other in zip(ours[:2], theirs[:2]):
        for statistic in (np.mean, np.std):
            assert statistic(mine) == pytest.approx(statistic(other), rel=0.1)


def test_jitter_changes_colours_only():
    picture = smooth_picture(1)
    plain = augment(picture, 32, np.random.RandomState(4))
    changed = augment(picture, 32, np.random.RandomState(4), jitter=0.4)
    assert changed.dtype == np.uint8 and not np.array_equal(plain, changed)
    centred = [image.astype(float).mean(2).ravel() - image.mean() for image in (plain, changed)]
    assert np.corrcoef(*centred)[0, 1] > 0.95, "the same part of the picture, the same way round"


def test_jitter_reaches_both_sources(stored):
    files = [(stored / f"{i:02}.jpg", i) for i in range(SAMPLES)]
    loading = Loading(8, 32, train=True)
    for make_source in (lambda jitter: FolderSource(files, loading, jitter=jitter),
                        lambda jitter: RecordSource(stored / "all.rec", loading, jitter=jitter)):
        changed = in_full(make_source(0.4), 1)
        assert not equal(in_full(make_source(0.0), 1), changed)
        assert all((data == np.rint(data)).all() and abs(data).max() <= 128 for data, _ in changed)


# Damaged pictures in a folder


@pytest.fixture
def damaged(stored, tmp_path):
    """Three whole pictures, one cut off and one that is text."""
    for number, name in enumerate("abcde"):
        content = (stored / f"{number:02}.jpg").read_bytes()
        content = {"b": content[:400], "d": b"not a picture"}.get(name, content)
        (tmp_path / f"{name}.jpg").write_bytes(content)
    return [(tmp_path / f"{name}.jpg", label) for label, name in enumerate("abcde")]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_evaluation_leaves_damaged_pictures_out_and_names_them(damaged, batch_size):
    source = FolderSource(damaged, Loading(batch_size, 32))
    for _ in range(2):
        assert labels_of(source) == [0, 2, 4]
        assert len(source.unreadable) == 2
        assert "b.jpg" in source.unreadable[0] and "d.jpg" in source.unreadable[1]


def test_training_and_strict_evaluation_stop_at_a_damaged_picture(damaged):
    with pytest.raises(InputError, match=r"b\.jpg"):
        labels_of(FolderSource(damaged, Loading(5, 32), strict=True))
    with pytest.raises(InputError, match=r"[bd]\.jpg"):
        labels_of(FolderSource(damaged, Loading(5, 32, train=True)))


# Arrays


def test_array_source_moves_and_mirrors_by_whole_pixels():
    image = smooth_picture(0, 12, 12)
    source = ArraySource(image[None].repeat(200, 0), np.zeros(200, int), Loading(200, train=True), shift=2, flip=True)
    (data, _), = in_full(source, 0)
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    possible = {}
    for top, left, mirrored in itertools.product(range(5), range(5), (False, True)):
        window = padded[top:top + 12, left:left + 12]
        window = window[:, ::-1] if mirrored else window
        possible[window.astype(np.float32).tobytes()] = (top, left, mirrored)
    found = {possible[(picture.transpose(1, 2, 0) + 128).tobytes()] for picture in data}
    assert len(found) > 40


def test_array_source_without_augmentation_is_the_array():
    arrays = np.stack([smooth_picture(i, 10, 14) for i in range(5)])
    (data, labels), = in_full(ArraySource(arrays, np.arange(5), Loading(5)))
    assert np.array_equal(data, arrays.transpose(0, 3, 1, 2).astype(int) - 128)
    assert np.array_equal(labels, np.arange(5))


def test_array_source_names_wrong_arrays():
    with pytest.raises(InputError, match="uint8"):
        ArraySource(np.zeros((4, 8, 8, 3)), np.zeros(4, int), Loading(2))
    with pytest.raises(InputError, match="4 pictures have labels"):
        ArraySource(np.zeros((4, 8, 8, 3), np.uint8), np.zeros(3, int), Loading(2))


def test_labels_that_do_not_fit_the_classes_are_said(stored):
    with pytest.raises(InputError, match="labels up to 52, too many for 10 classes"):
        RecordSource(stored / "all.rec", Loading(1, 32, classes=10))
    assert RecordSource(stored / "all.rec", Loading(1, 32, classes=1000)).classes == 1000


def test_turning_and_zooming_only_in_training():
    """A quarter turn moves the bright corner; zooming about the centre leaves the centre; testing changes nothing."""
    images = np.zeros((40, 9, 9, 3), np.uint8)
    images[:, 0, 0] = 255
    images[:, 4, 4] = 200
    labels = np.zeros(40, int)

    def pictures(train=False, **options):
        batch, _ = next(ArraySource(images, labels, Loading(40, train=train, seed=1), **options).epoch(3))
        return batch.asnumpy() + 128

    np.testing.assert_array_equal(pictures(rotate=90, zoom=0.2), images.transpose(0, 3, 1, 2))
    turned = pictures(train=True, rotate=90)
    np.testing.assert_array_equal(turned, pictures(train=True, rotate=90))
    assert (turned[:, 0, 4, 4] > 190).all()
    assert len(np.unique(turned.reshape(40, -1), axis=0)) > 15
    zoomed = pictures(train=True, zoom=0.3)
    assert (zoomed[:, 0, 4, 4] > 190).all() and len(np.unique(zoomed.reshape(40, -1), axis=0)) > 15
