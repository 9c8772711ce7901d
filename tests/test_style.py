"""Python as ruff wants it, C as clang-format does: pyproject.toml and .clang-format."""

import subprocess
import sys
from pathlib import Path

import pytest
from running import ROOT

TOOLS = Path(sys.executable).parent  # the environment's own: other versions format otherwise
C_SOURCES = sorted([*(ROOT / "gluon_etinynet" / "export" / "c").rglob("*.[ch]"), *(ROOT / "benchmarks").glob("*.c"),
                    *(ROOT / "examples").rglob("*.[ch]")])


def complaints(command, *files):
    done = subprocess.run([TOOLS / command[0], *command[1:], *files], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    return done.stdout if done.returncode else ""


CLANG_FORMAT = ["clang-format", "--dry-run", "-Werror", "--style=file"]


def test_python():
    assert complaints(["ruff", "check", "--quiet"], ROOT) == ""


def test_c():
    assert len(C_SOURCES) > 25 and complaints(CLANG_FORMAT, *C_SOURCES) == ""


@pytest.mark.parametrize("name, text, command", [
    ("odd.py", "import os\n", ["ruff", "check", "--config", ROOT / "pyproject.toml"]),
    ("odd.c", "int  f( void ){return 0;}\n", CLANG_FORMAT)])
def test_a_fault_is_seen(name, text, command, tmp_path):
    (tmp_path / name).write_text(text)
    (tmp_path / ".clang-format").write_text((ROOT / ".clang-format").read_text())
    assert name in complaints(command, tmp_path / name)
