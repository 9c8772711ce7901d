"""Files and folders that appear whole or not at all, and the log of a command line."""

import os

import pytest

from gluon_etinynet.cli import open_log
from gluon_etinynet.files import InputError, atomic_folder, atomic_path


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.png"
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".png" and not temporary.exists()
        temporary.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one" and path.stat().st_mode & 0o777 == 0o666 & ~umask()
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_text("tw")
        raise KeyboardInterrupt
    assert path.read_text() == "one" and [each.name for each in path.parent.iterdir()] == ["a.png"]


def test_a_folder_appears_when_it_is_whole_and_takes_the_place_of_another(tmp_path):
    path = tmp_path / "new" / "folder"
    for content in ("one", "two"):
        with atomic_folder(path) as temporary:
            (temporary / "within").mkdir()
            (temporary / "within" / content).write_text(content)
            assert not path.exists() or content == "two"
        assert [each.name for each in (path / "within").iterdir()] == [content]
    assert path.stat().st_mode & 0o777 == 0o777 & ~umask()
    with pytest.raises(KeyboardInterrupt), atomic_folder(path) as temporary:
        (temporary / "half").write_text("")
        raise KeyboardInterrupt
    assert [each.name for each in path.rglob("*")] == ["within", "two"]
    assert [each.name for each in path.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_what_cannot_be_written_is_one_line(tmp_path, atomic):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^cannot write \S+/file/a: File exists; choose another folder"):
        with atomic(tmp_path / "file" / "a"):
            raise AssertionError("the block must not begin")


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_log_is_printed_and_appended(tmp_path, capsys):
    for line in ("one", "two"):
        with open_log(tmp_path / "a.log") as log:
            log(line)
    with open_log() as log:
        log("three")
    assert (tmp_path / "a.log").read_text() == "one\ntwo\n"
    assert capsys.readouterr().out == "one\ntwo\nthree\n"
    with pytest.raises(InputError, match="cannot write .*: Is a directory; choose another log file"):
        with open_log(tmp_path):
            raise AssertionError("the block must not begin")
