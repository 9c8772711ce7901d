"""Our reader of .params files against MXNet's, and against damage."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import largest_file

from gluon_etinynet import InputError, read_params
from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.parameters import save_arrays, save_net

ARRAYS = {
    "a.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "b": np.array([-1, 5], np.int8),
    "c": np.array([[2.5]], np.float16),
    "d": np.array([1 << 40], np.int64),
}


def saved(path, arrays=ARRAYS):
    mx.nd.save(str(path), {name: mx.nd.array(array, dtype=array.dtype) for name, array in arrays.items()})
    return path


def test_reads_what_mxnet_wrote(tmp_path):
    read = read_params(saved(tmp_path / "x.params"))
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_takes_the_prefixes_off_exported_files(tmp_path):
    path = saved(tmp_path / "x.params", {"arg:w": ARRAYS["a.weight"], "aux:m": ARRAYS["b"]})
    assert list(read_params(path)) == ["w", "m"]


@pytest.mark.parametrize("length", [0, 1, 8, 23, 24, 40, 60, -1, -9])
def test_truncated(tmp_path, length):
    path = saved(tmp_path / "x.params")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="x.params is not a whole"):
        read_params(path)


def test_every_single_damaged_length_is_refused_or_read_safely(tmp_path):
    """Each 4-byte field set to a huge number in turn: an InputError or arrays, never anything else."""
    path = saved(tmp_path / "x.params")
    content = path.read_bytes()
    for offset in range(0, len(content) - 4, 4):
        path.write_bytes(content[:offset] + struct.pack("<I", 0x7fffffff) + content[offset + 4:])
        try:
            read_params(path)
        except InputError as error:
            assert "x.params" in str(error)


@given(st.binary(max_size=200))
def test_random_bytes(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("random") / "x.params"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_params(path)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=12))
def test_random_damage(tmp_path_factory, position, damage):
    path = saved(tmp_path_factory.mktemp("damaged") / "x.params")
    content = bytearray(path.read_bytes())
    content[position:position + len(damage)] = damage
    path.write_bytes(content)
    try:
        read_params(path)
    except InputError:
        pass


def test_not_finite(tmp_path):
    path = saved(tmp_path / "x.params", {"w": np.array([1, np.nan], np.float32)})
    with pytest.raises(InputError, match="not finite in w"):
        read_params(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="none.params"):
        read_params(tmp_path / "none.params")
    with pytest.raises(InputError):
        read_params(tmp_path)


def small_net(value=1.0):
    net = mx.gluon.nn.Dense(30, in_units=30)
    net.initialize(mx.init.Constant(value))
    return net


@pytest.mark.parametrize("size", [0, 100, 3000])
def test_half_a_file_is_an_error(tmp_path, size):
    """MXNet says nothing of a full disk; the whole file has 3837 bytes."""
    path, net = tmp_path / "a.params", small_net()
    for save in (lambda: save_net(net, path), lambda: save_arrays(path, {"a": mx.nd.ones((30, 30))})):
        with largest_file(size), pytest.raises(OSError, match="did not get whole onto the disk"):
            save()
        save()
    save_net(net, path)
    assert read_params(path)["weight"].shape == (30, 30)


def test_what_is_not_finite_is_not_saved(tmp_path):
    for save in (lambda: save_net(small_net(np.nan), tmp_path / "a"),
                 lambda: save_arrays(tmp_path / "a", {"weight": mx.nd.array([np.inf])})):
        with pytest.raises(InputError, match="^weight holds values that are not finite"):
            save()
    assert not (tmp_path / "a").exists()


def test_an_archive_of_mxnet_2_is_named_with_the_remedy(tmp_path):
    np.savez(tmp_path / "net.npz", **ARRAYS)
    with pytest.raises(InputError, match=r"net.npz is an .npz archive, as MXNet 2 .*; write it anew: mxnet.nd.save"):
        read_params(tmp_path / "net.npz")
