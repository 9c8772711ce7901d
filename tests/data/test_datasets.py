"""Sets of small pictures: handwritten digits, and CIFAR's archives."""

import numpy as np
import pytest

from gluon_etinynet.data.datasets import cifar_npz, digits
from gluon_etinynet.data.sources import ArraySource, Loading
from gluon_etinynet.files import InputError


def test_digits_have_a_fixed_split_in_proportion():
    pytest.importorskip("sklearn")
    first, second = digits(), digits()
    assert all(np.array_equal(a, b) for a, b in zip(first, second))
    assert first.x_train.shape == (1437, 64, 64, 3) and first.x_test.shape == (360, 64, 64, 3)
    assert first.x_train.dtype == np.uint8 and first.x_train.max() == 255 and first.x_train.min() == 0
    counts = np.bincount(first.y_train), np.bincount(first.y_test)
    assert np.abs(counts[1] - sum(counts) / 5).max() <= 1
    small = digits(8)
    everything = np.concatenate([small.x_train, small.x_test])[..., 0].reshape(1797, 64)
    from sklearn.datasets import load_digits
    original = np.rint(load_digits().data * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, everything)) == sorted(map(bytes, original)), "each digit once, none changed"


def test_digits_without_scikit_learn_name_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"pip install 'gluon_etinynet\[demo\]'"):
        digits()


@pytest.fixture
def archive():
    return {"x_train": np.zeros((6, 8, 8, 3), np.uint8), "y_train": np.arange(6) % 2,
            "x_test": np.ones((2, 8, 8, 3), np.uint8), "y_test": np.array([1, 0], np.uint8),
            "classes": np.array(["a", "b"])}


def test_cifar_npz_reads_what_was_written(archive, tmp_path):
    np.savez(tmp_path / "set.npz", **archive)
    arrays = cifar_npz(tmp_path / "set.npz")
    assert np.array_equal(arrays.x_train, archive["x_train"]) and np.array_equal(arrays.y_test, [1, 0])
    assert arrays.classes == ["a", "b"] and arrays.y_test.dtype == np.int64


@pytest.mark.parametrize("change,message", [
    ({"x_test": None}, "lacks x_test"),
    ({"classes": None}, "lacks classes"),
    ({"x_train": np.zeros((6, 8, 8, 3))}, "x_train must be uint8"),
    ({"x_test": np.zeros((2, 3, 8, 8), np.uint8)}, "x_test must be uint8"),
    ({"y_train": np.zeros(5, int)}, "y_train must be integers"),
    ({"y_train": np.zeros(6)}, "y_train must be integers"),
    ({"y_test": np.array([0, 2])}, "labels from 0 to 2, but there are 2 classes"),
    ({"y_test": np.array([0, -1])}, "labels from -1"),
    ({"classes": np.array(["a", {}], dtype=object)}, "cannot read"),  # would have to be unpickled
])
def test_cifar_npz_names_what_is_wrong(archive, tmp_path, change, message):
    archive.update(change)
    np.savez(tmp_path / "set.npz", **{key: value for key, value in archive.items() if value is not None})
    with pytest.raises(InputError, match=message) as raised:
        cifar_npz(tmp_path / "set.npz")
    assert "set.npz" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", [lambda content: content[:len(content) // 2], lambda content: b"text",
                                    lambda content: b"", lambda content: None,
                                    lambda content: content[:200] + bytes(50) + content[250:]])
def test_cifar_npz_survives_damaged_archives(archive, tmp_path, damage):
    path = tmp_path / "set.npz"
    archive["x_train"] = np.random.RandomState(0).randint(0, 256, (6, 8, 8, 3)).astype(np.uint8)
    np.savez_compressed(path, **archive)
    content = damage(path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*set\.npz") as raised:
        cifar_npz(path)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_cifar_subset(data_dir):
    arrays = cifar_npz(data_dir / "cifar10-subset" / "cifar10_subset.npz")
    assert len(arrays.x_train) == 8000 and len(arrays.classes) == 10
    source = ArraySource(arrays.x_train, arrays.y_train, Loading(128, 64, train=True), shift=4, flip=True)
    (data, labels) = next(source.epoch(0))
    assert data.shape == (128, 3, 64, 64) and source.classes == 10 and source.samples_per_epoch == 7936
