"""The public names: importable from the package, and listed in docs/api.md, which is made of their docstrings.

``python tests/test_api.py`` writes docs/api.md anew.
"""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import gluon_etinynet

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
HEAD = """# The public names

`from gluon_etinynet import ...` gives these; whatever else the package's modules have may change. The first sentence
of each docstring; `help(name)` tells parameters, shapes and errors. This page is made by `python tests/test_api.py`.

| name | module | what it is |
|---|---|---|
"""


def page():
    rows = []
    for name in gluon_etinynet.__all__:
        thing = getattr(gluon_etinynet, name)
        sentence = " ".join(inspect.getdoc(thing).split("\n\n")[0].split()).replace("|", "\\|")
        module = thing.__module__.replace("gluon_etinynet.", "")
        rows.append(f"| `{name}` | `{module}` | {sentence} |\n")
    return HEAD + "".join(rows)


def test_the_page_lists_every_public_name():
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("names, loads", [
    ("InputError, Graph, read_params", False), ("asq, dorefa, ASQ, prepare_qat, quantise, lower, Graph", True)])
def test_names_are_imported_from_the_package(names, loads):
    code = f"from gluon_etinynet import {names}; import sys; assert ('mxnet' in sys.modules) is {loads}"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'EtinyNot'"):
        _ = gluon_etinynet.EtinyNot


if __name__ == "__main__":
    PAGE.write_text(page())
