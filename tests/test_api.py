"""The public names: importable from the package, and listed in docs/api.md, which is made of their docstrings.

``python tests/test_api.py`` writes docs/api.md anew.
"""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import gluon_etinynet

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
HEAD = """# The public names

`from gluon_etinynet import ...` gives these; whatever else the package's modules have may change. The last column is
the first sentence of each docstring; `help(name)` tells parameters, shapes and errors. This page is made by
`python tests/test_api.py`.

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


@pytest.mark.parametrize("module, names", [
    ("quantize", "asq dorefa linear asq_clamp dorefa_clamp asq_steps dorefa_steps quantisation_error entropy"),
    ("training", "Config train evaluate cross_entropy learning_rate contexts"),
    ("data", "ArraySource FolderSource RecordSource LabelledArrays digits cifar_npz imagenet_classes"),
    ("detection", "MultiBoxLoss evaluate_detector average_precisions start_detector load_detector detect "
                  "round_to_8_bits"),
    ("model_zoo", "get_model model_names detector_names load_parameters load_features released_checkpoint "
                  "structural_names")])
def test_modules_that_became_wings_keep_their_names(module, names):
    found = importlib.import_module(f"gluon_etinynet.{module}")
    assert set(names.split()) <= set(found.__all__)
    assert all(callable(getattr(found, name)) for name in names.split())


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'EtinyNot'"):
        _ = gluon_etinynet.EtinyNot


if __name__ == "__main__":
    PAGE.write_text(page())
