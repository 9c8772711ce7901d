"""Who may import whom, read out of the sources: imports within functions count too."""

import ast
import subprocess
import sys
from collections import namedtuple

import pytest
from running import ROOT

# Each imports from its left.
ORDER = ["_mxnet reading files cli lazy npz quantities steps", "networks integer", "data",
         "training quantize export", "detection", "report", "model_zoo flags", "loading", "lowering", "__init__",
         "tools benchmarks tests"]
RANK = {wing: rank for rank, wings in enumerate(ORDER) for wing in wings.split()}
SCRIPTS = ORDER[-1].split()
LAST = len(ORDER) - 1
WITHOUT_MXNET = ["integer", "export", "report"]
UNCHECKED = {"save_parameters", "nd.save", "imwrite"}  # they say nothing of a full disk
CHECKED = "gluon_etinynet/networks/parameters.py"  # reads back what it wrote
LINES = 420  # of a module of the package or a script, at most

Import = namedtuple("Import", "line file name alias")  # file: its path, None if it is not ours


def sources():
    """The text of every Python file, by its path below the root of the repository."""
    return {str(path.relative_to(ROOT)): path.read_text()
            for folder in ["gluon_etinynet", *SCRIPTS] for path in sorted((ROOT / folder).rglob("*.py"))}


def wing(path):
    """The folder or the module of the package that holds a file; of a script, its folder."""
    folder, name = path.split("/")[:2]
    return folder if folder in SCRIPTS else name.replace(".py", "")


def imports(path, tree, files):
    """Yield every Import in a file."""
    def file_of(name):
        stems = [folder + name.replace(".", "/") for folder in ["", *(f"{folder}/" for folder in SCRIPTS)]]
        return next((stem + end for stem in stems for end in (".py", "/__init__.py") if stem + end in files), None)

    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            level, module = getattr(node, "level", 0), getattr(node, "module", None)
            above = (path.split("/")[:-level] if level else []) + ([module] if module else [])
            for alias in node.names:
                name = ".".join([*above, alias.name])
                yield Import(node.lineno, file_of(name) or file_of(".".join(above)), name, alias.asname or alias.name)


def loading_mxnet(found):
    """The files that load MXNet, themselves or through what they import."""
    loading, more = set(), {path for path, items in found.items() for item in items
                            if item.name.split(".")[0] in ("mxnet", "gluoncv")}
    while more:
        loading |= more
        more = {path for path, items in found.items() for item in items if item.file in loading} - loading
    return loading


def may_import(path, item):
    """Whether the order of the wings lets the file at `path` import `item`, which is ours."""
    here, there = wing(path), wing(item.file)
    if here == there:
        return here != "tools" and (here != "tests" or item.file.count("/") == 1)
    above, below = RANK.get(here, LAST), RANK.get(there, LAST)
    return below < above or below == above == 0 or item.name.endswith("__")


def is_private(name):
    return any(part[0] == "_" and part[-2:] != "__" and part != "_mxnet" for part in name.split("."))


def violations(files):
    """Yield every breach of the rules in `files`, {path: text}, as `path:line: what is wrong`."""
    trees = {path: ast.parse(text) for path, text in files.items()}
    found = {path: list(imports(path, tree, files)) for path, tree in trees.items()}
    loading = loading_mxnet(found)
    for path, tree in trees.items():
        here = wing(path)
        if files[path].count("\n") > LINES and here != "tests":
            yield f"{path}:{LINES}: the module goes on"
        if path in loading and here in WITHOUT_MXNET:
            yield f"{path}:1: MXNet is loaded"
        if here not in RANK:
            yield f"{path}:1: {here} has no place in the order"
        ours = [item for item in found[path] if item.file]
        for item in ours:
            if not may_import(path, item):
                yield f"{path}:{item.line}: {item.file} is imported"
            if is_private(item.name):
                yield f"{path}:{item.line}: the private {item.name} is imported"
        modules = {item.alias for item in ours if item.file != "gluon_etinynet/_mxnet.py"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and here not in ("benchmarks", "tests") and path != CHECKED:
                if {node.attr, f"{getattr(node.value, 'attr', '')}.{node.attr}"} & UNCHECKED:
                    yield f"{path}:{node.lineno}: {node.attr} writes unchecked"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id in modules and is_private(node.attr):
                    yield f"{path}:{node.lineno}: the private {node.value.id}.{node.attr} is used"
                if (node.value.id, node.attr) == ("sys", "path") and here in SCRIPTS and path != "tests/running.py":
                    yield f"{path}:{node.lineno}: sys.path is used"


def test_the_rules_are_kept():
    breaches = list(violations(sources()))
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize("path, text, breach", [
    ("gluon_etinynet/networks/a.py", "from ..training import loop", "1: gluon_etinynet/training/loop.py is imported"),
    ("gluon_etinynet/data/a.py", "def f():\n    from ..detection.ssd import Level",
     "2: gluon_etinynet/detection/ssd.py is imported"),
    ("gluon_etinynet/training/a.py", "from ..quantize import qat", "1: gluon_etinynet/quantize/qat.py is imported"),
    ("gluon_etinynet/quantize/a.py", "import gluon_etinynet.training.loop as loop",
     "1: gluon_etinynet/training/loop.py is imported"),
    ("gluon_etinynet/files.py", "from .integer.graph import Graph", "1: gluon_etinynet/integer/graph.py is imported"),
    ("gluon_etinynet/loading.py", "from . import get_model", "1: gluon_etinynet/__init__.py is imported"),
    ("gluon_etinynet/export/a.py", "def f():\n    from .._mxnet import mx", "1: MXNet is loaded"),
    ("gluon_etinynet/integer/a.py", "import gluoncv.data", "1: MXNet is loaded"),
    ("gluon_etinynet/report/a.py", "from ..networks.blocks import LB", "1: MXNet is loaded"),
    ("gluon_etinynet/training/a.py", "from .loop import _prepare",
     "1: the private gluon_etinynet.training.loop._prepare is imported"),
    ("tests/a.py", "from gluon_etinynet.training import loop as t\nt._prepare", "2: the private t._prepare is used"),
    ("tests/a.py", "from table4 import main", "1: benchmarks/table4.py is imported"),
    ("tests/a.py", "from data.test_sources import take", "1: tests/data/test_sources.py is imported"),
    ("tests/data/a.py", "import sys\nsys.path.insert(0, '')", "2: sys.path is used"),
    ("benchmarks/a.py", "import running", "1: tests/running.py is imported"),
    ("tools/a.py", "from launch import main", "1: tools/launch.py is imported"),
    ("gluon_etinynet/a.py", "from . import files", "1: a has no place in the order"),
    ("gluon_etinynet/quantize/a.py", "def f(path):\n    mx.nd.save(path, {})", "2: save writes unchecked"),
    ("tools/a.py", "net.save_parameters('a')", "1: save_parameters writes unchecked"),
    ("gluon_etinynet/detection/a.py", "cv2.imwrite('a.png', image)", "1: imwrite writes unchecked"),
    ("tools/a.py", "\n" * 421, "420: the module goes on"),
])
def test_a_planted_breach_is_named(path, text, breach):
    files = dict.fromkeys(sources(), "")
    files["gluon_etinynet/_mxnet.py"] = "import mxnet as mx"
    files["gluon_etinynet/networks/blocks.py"] = "from .._mxnet import mx"
    files[path] = text
    assert list(violations(files)) == [f"{path}:{breach}"]


def test_mxnet_stays_out_of_a_process():
    """What the sources do not tell: imports by a name that is put together."""
    modules = [path[:-3].replace("/__init__", "").replace("/", ".") for path in sources()
               if wing(path) in WITHOUT_MXNET]
    code = f"import sys, {', '.join(modules)}\nsys.exit(not {{'mxnet', 'gluoncv'}}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
