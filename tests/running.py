"""What tests need of the outside: scripts run within the process, programs that may be missing."""

import contextlib
import io
import resource
import runpy
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(script, *arguments):
    """Run a script of the repository as `__main__`; an exception that escapes it fails the test.

    Returns
    -------
    SimpleNamespace
        returncode, stdout, stderr.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        _run_path(ROOT / script, arguments, "__main__")
    return SimpleNamespace(returncode=ended.value.code or 0, stdout=out.getvalue(), stderr=err.getvalue())


def load(script):
    """What a script of the repository defines, as attributes; it does not run as `__main__`."""
    return SimpleNamespace(**_run_path(ROOT / script, [], Path(script).stem))


def _run_path(path, arguments, name):
    argv = [str(path), *map(str, arguments)]
    with mock.patch.object(sys, "argv", argv), mock.patch.object(sys, "path", [str(path.parent)] + sys.path):
        return runpy.run_path(str(path), run_name=name)


def needs(*programs):
    """Skip the test where a program is missing."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"needs {program}")


@contextlib.contextmanager
def largest_file(size):
    """Within the block a file ends at `size` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_one_line(done, word):
    """The tool ended as it does on a user's mistake: status 2 and one line, with `word` in it."""
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and word in done.stderr
