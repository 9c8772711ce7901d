"""Files and folders that appear whole or not at all, and the log of a command line."""

import concurrent.futures
import errno
import fcntl
import os
import resource
import subprocess
import sys

import pytest
from running import ROOT, largest_file

from gluon_etinynet.cli import open_log
from gluon_etinynet.files import InputError, atomic_folder, atomic_path, sole_writer, write_text


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


def test_nothing_is_left_where_no_more_files_can_be_opened(tmp_path):
    """Removing a folder with `shutil.rmtree` takes an open file for each level."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hoard = []
    try:
        with pytest.raises(InputError, match=r"cannot write \S+/a: Too many open files; allow more open files"):
            with atomic_folder(tmp_path / "a") as folder:
                (folder / "b" / "c").mkdir(parents=True)
                (folder / "b" / "c" / "file").write_text("")
                limit = max(map(int, os.listdir("/proc/self/fd"))) + 4
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                while True:
                    hoard.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in hoard:
            os.close(handle)
    assert not list(tmp_path.iterdir())


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


def test_a_line_of_the_log_that_fits_in_part_is_an_error(tmp_path, capsys):
    """The system takes what there is room for, and says so only by a count."""
    with largest_file(5), pytest.raises(InputError, match="a.log: File too large; choose another log file"):
        with open_log(tmp_path / "a.log") as log:
            log("a line of more than five letters")


HOLD = """
import sys, time
from gluon_etinynet.files import sole_writer
with sole_writer(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_has_one_writer_until_it_dies(tmp_path):
    out = tmp_path / "out"
    other = subprocess.Popen([sys.executable, "-c", HOLD, out], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=rf"out is being written by process {other.pid} on .*; wait for its end"):
            with sole_writer(out):
                raise AssertionError("the block must not begin")
    finally:
        other.kill()
        other.communicate()
    (out / ".partial-left").mkdir()
    with sole_writer(out), sole_writer(out / "."), atomic_path(out / "file") as temporary:
        temporary.write_text("whole")
        assert not (out / ".partial-left").exists()
        with sole_writer(out / "within"):
            pass
    assert [path.name for path in out.iterdir()] == ["file"]
    with sole_writer(tmp_path / "unused"):
        pass
    assert not (tmp_path / "unused").exists()


def test_another_thread_is_another_writer_and_a_living_writers_files_stay(tmp_path):
    with sole_writer(tmp_path / "out") as out, atomic_path(tmp_path / "out" / "file") as temporary:
        temporary.write_text("whole")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            refused = pool.submit(lambda: sole_writer(out).__enter__()).exception()
        assert isinstance(refused, InputError) and "is being written by" in str(refused)
    with atomic_path(out / "file") as temporary, sole_writer(out):
        temporary.write_text("new")
    assert (out / "file").read_text() == "new"


def test_a_file_system_without_locks_is_told_of(tmp_path, monkeypatch):
    def flock(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="no locks"), sole_writer(tmp_path / "out") as out:
        write_text(out / "a", "é\udce9")
    assert (tmp_path / "out" / "a").read_bytes() == "é".encode() + b"\xe9"


END = "import sys; from gluon_etinynet import cli\ndef main():\n    {}\ncli.run(main)"


@pytest.mark.parametrize("code, redirect, status, said", [
    ("print('x')", ">&-", 2, "standard output is closed"), ("print('x')", ">/dev/full", 2, "No space left on device"),
    ("print('x' * 99999)", ">/dev/full", 2, "No space left on device"),
    ("cli.Parser().parse_args(['--help'])", ">/dev/full", 2, "No space left on device"),
    ("print('x'); raise cli.InputError('mine')", ">/dev/full", 2, "mine"),
    ("raise OSError(24, 'Too many open files', 'a.so')", ">/dev/null", 2, "'a.so'; allow more open files"),
    ("raise cli.InputError('mine')", "2>&-", 2, ""), ("print('\\udce9\\u00e9')", ">/dev/null", 0, ""),
    ("print('\\udce9\\u00e9', file=sys.stderr)", ">/dev/null", 0, "\\udce9\\xe9"),
    ("with cli.open_log('/dev/full') as log: log('x')", ">/dev/null", 2, "cannot write /dev/full: No space left"),
    ("print('x' * 99999)", "| true; exit ${PIPESTATUS[0]}", 141, "")])
def test_output_that_cannot_be_written_is_one_line(code, redirect, status, said):
    done = subprocess.run(["bash", "-c", f'"$0" -c "$1" {redirect}', sys.executable, END.format(code)], cwd=ROOT,
                          stderr=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii",
                                                                "PYTHONUNBUFFERED": ""})
    assert (done.returncode, done.stderr.count(b"\n")) == (status, int(bool(said)))
    assert said in done.stderr.decode()
