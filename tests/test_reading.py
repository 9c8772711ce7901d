"""What users give: text, JSON, folders and devices; each is read, or refused in one line that names it."""

import errno
import json
import os
import zipfile

import numpy as np
import pytest

from gluon_etinynet import reading
from gluon_etinynet.npz import read_npz
from gluon_etinynet.reading import InputError


def refused(match, function, *arguments, **options):
    with pytest.raises(InputError, match=match) as raised:
        function(*arguments, **options)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("content", [b"a\nb\n", b"\xef\xbb\xbfa\r\nb\r\n", b" a \r\rb"])
def test_lines_are_the_same_with_any_ends_and_a_mark(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    assert reading.read_lines(tmp_path / "a.txt") == ["a", "b"]


@pytest.mark.parametrize("content, match", [("é".encode("latin-1"), "byte 0 is not UTF-8"),
                                            ("a".encode("utf-16"), "UTF-16"),
                                            ("ab".encode("utf-16-le"), "UTF-16")])
def test_another_encoding_is_named(tmp_path, content, match):
    (tmp_path / "a.txt").write_bytes(content)
    refused(f"a.txt: .*{match}", reading.read_lines, tmp_path / "a.txt")


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 5 << 30)
    for path, match in ((tmp_path / "pipe", "device or a pipe"), ("/dev/zero", "device or a pipe"),
                        (tmp_path, "Is a directory"), (tmp_path / "large", "5368709120 bytes"),
                        (tmp_path / "none", "No such file"), (tmp_path / ("x" * 5000), "name too long")):
        refused(match, reading.read_bytes, path)


@pytest.mark.parametrize("number, remedy", [
    (errno.EACCES, "let this user read it"), (errno.EPERM, "let this user read it"),
    (errno.EMFILE, "allow more open files .*"), (errno.EIO, "write it anew")])
def test_the_remedy_is_that_of_the_fault(tmp_path, monkeypatch, number, remedy):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    (tmp_path / "a").touch()
    monkeypatch.setattr("builtins.open", refuse)
    refused(f"^cannot read .*/a: {os.strerror(number)}; {remedy}$", reading.read_bytes, tmp_path / "a",
            remedy="write it anew")


def test_names_and_contents_with_line_breaks_stay_in_one_line(tmp_path):
    refused(r"a\\nb\\x1b", reading.read_bytes, tmp_path / "a\nb\x1b")
    for error in (KeyError("x\n"), TypeError(), OverflowError("x"), RecursionError("x"), MemoryError()):
        with pytest.raises(InputError, match="^a is bad .*; mend it$"), reading.parsing("a", "mend it", "is bad"):
            raise error


@pytest.mark.parametrize("content", ["[", "[" * 10 ** 5, "9" * 10 ** 6, "[]", "{}", "\0",
                                     '{"done": true}', '{"done": 1.5}'])
def test_json_of_another_form_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    refused("a.json is damaged .*; mend it", reading.read_json, tmp_path / "a.json", "mend it", done=int)


def test_json_of_the_form_is_read(tmp_path):
    (tmp_path / "a.json").write_text('\ufeff{"done": 1, "more": []}', encoding="utf-8")
    assert reading.read_json(tmp_path / "a.json", "", done=int) == {"done": 1, "more": []}
    (tmp_path / "b.json").write_text(json.dumps({"settings": {"a": 1}}))
    assert reading.read_record(tmp_path / "b.json", {"a": 1}) == {"settings": {"a": 1}}
    assert reading.read_record(tmp_path / "none.json", {"a": 1}) is None


def test_questions_about_paths_are_answered_or_refused(tmp_path):
    assert reading.is_folder(tmp_path) and not reading.is_file(tmp_path) and not reading.is_file(tmp_path / "a" / "b")
    (tmp_path / "loop").symlink_to("loop")
    for path, match in ((tmp_path / ("x" * 5000), "name too long"), ("a\0b", "null"),
                        (tmp_path / "loop", "symbolic links")):
        refused(match, reading.is_file, path)
    refused("does not exist", reading.list_folder, tmp_path / "none")


def test_home_is_needed_or_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    assert reading.expand("~/.mxnet/models") == tmp_path / "models"
    monkeypatch.delenv("MXNET_HOME")
    refused("set HOME, or MXNET_HOME", reading.expand, "~no-such-user/.mxnet/models")


@pytest.mark.parametrize("header", ["(17179869184,)", "(True,)", "(-1,)", "(0, 1.5)", "((", "(4,)"])
def test_an_archive_whose_header_lies_takes_no_memory(tmp_path, header):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(3, dtype=np.uint8))
    assert read_npz(tmp_path / "a.npz", "mend it")["a"].tolist() == [0, 1, 2]
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {header}}}\n".encode()
    content = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + bytes(3)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content)
    refused("a.npz: .*; mend it", read_npz, tmp_path / "a.npz", "mend it")


def test_an_archive_larger_than_the_limit_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(10 ** 6, np.uint8))
    refused("more than 100000", read_npz, tmp_path / "a.npz", "mend it", limit=10 ** 5)
