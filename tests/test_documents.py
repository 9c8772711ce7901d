"""What the documents say to type runs: every block of code, in the order of its document, in a copy of the clone."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from PIL import Image
from running import load, run

from gluon_etinynet import InputError
from gluon_etinynet.report import measured as recorded

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"(?:^<!-- not run: (?P<reason>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
                   re.M | re.S)
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#]*)(?:#(?P<anchor>[^)]*))?\)")
RELEASED = "0.6553-imagenet-mobilenet_lite313_477k_nownorm_4433_224-293-best.params"

Block = namedtuple("Block", "line language code reason")


def blocks(document):
    """The fenced blocks of a Markdown text; `reason` is why a block is not run, or None."""
    return [Block(document.count("\n", 0, found.start("code")), found["language"], found["code"], found["reason"])
            for found in FENCE.finditer(document)]


def texts():
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCUMENTS}


def test_every_block_is_run_or_says_why_not():
    unrun = []
    for name, text in texts().items():
        assert text.count("\n```") + text.startswith("```") == 2 * len(blocks(text)), f"{name}: a fence is not closed"
        for block in blocks(text):
            assert block.language in ("python", "bash"), f"{name}:{block.line}: a test cannot run {block.language!r}"
            if block.reason is not None:
                assert len(block.reason.split()) >= 3, f"{name}:{block.line}: why is it not run?"
                unrun.append(f"{name}:{block.line}")
    assert len(unrun) <= 2, f"too much is not run: {unrun}"


def test_blocks_are_found():
    text = "a\n```python\n1 / 0\n```\n\n<!-- not run: needs a GPU -->\n```bash\nexit 1\n```\n"
    assert blocks(text) == [(2, "python", "1 / 0\n", None), (7, "bash", "exit 1\n", "needs a GPU")]


def test_links_lead_somewhere():
    for name, text in texts().items():
        for link in LINK.finditer(text):
            target = (ROOT / name).parent / link["path"] if link["path"] else ROOT / name
            assert target.exists(), f"{name} links to {link['path']}, which does not exist"
            if link["anchor"]:
                headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
                anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
                assert link["anchor"] in anchors, f"{name} links to {link['path']}#{link['anchor']}"


def test_results_are_what_the_generator_writes():
    results = load("benchmarks/results.py")
    measured = results.load()
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == results.results(measured), \
        "run python benchmarks/results.py"
    there = {path: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "cards").iterdir()}
    assert there == results.cards(measured), "run python benchmarks/results.py"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == results.readme(readme, measured), "run python benchmarks/results.py"
    picture = Image.open(ROOT / "docs" / "figures" / "results.png")
    assert picture.text["Description"] == str(results.figures_numbers(measured)), "run python benchmarks/results.py"


def test_a_changed_measurement_shows_in_every_document():
    results = load("benchmarks/results.py")
    measured = results.load()
    changed = [dict(row, value="12.34") if row["value"] == "72.67" else row for row in measured]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for write in (results.results, lambda rows: results.readme(readme, rows),
                  lambda rows: str(results.figures_numbers(rows)), lambda rows: str(results.cards(rows))):
        assert "12.34" in write(changed) and "12.34" not in write(measured)


@pytest.mark.parametrize("row", ["9,net,,top1,3,", "1,net,,top1,,bash recipes/table1.sh", "1,net,,top1,3",
                                 "1,net,,top1,3,a,b"])
def test_a_damaged_measurement_is_one_line(tmp_path, row):
    (tmp_path / "measured.csv").write_text(f"section,row,on,quantity,value,command\n{row}\n")
    with pytest.raises(InputError, match="line 2"):
        recorded.load(tmp_path / "measured.csv")


def test_commands_of_measurements_exist():
    for row in recorded.load():
        if row["command"]:
            assert (ROOT / row["command"].split()[1]).is_file(), row["command"]


@pytest.fixture
def clone(tmp_path, weights_dir):
    """A copy of the repository that looks installed, the released weights in its home; returns a way to run code."""
    clone = tmp_path / "clone"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            check=True, stdout=subprocess.PIPE).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    # What recipes/env.sh makes; this interpreter's packages by links.
    venv = clone / ".venv"
    venv.mkdir()
    for part in ("bin", "lib", "include", "pyvenv.cfg"):
        (venv / part).symlink_to(Path(sys.prefix) / part)
    setup = hashlib.sha256((clone / "setup.py").read_bytes()).hexdigest()
    (venv / "installed").write_text(f"\n\n{clone}\n{setup}  -\n")
    (venv / "imports-work").touch()
    models = tmp_path / "home" / ".mxnet" / "models"
    models.mkdir(parents=True)
    shutil.copy(weights_dir / RELEASED, models / "etinynet1.0-b70e621c.params")
    environment = dict(os.environ, HOME=str(tmp_path / "home"), PATH=f"{venv}/bin:{os.environ['PATH']}",
                       PYTHONPATH=str(clone), MPLCONFIGDIR=matplotlib.get_cachedir())

    def execute(*command):
        return subprocess.run(command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              universal_newlines=True)

    execute.folder = clone
    return execute


def fill(folder):
    """Make the small folders and files that the documents' names stand for."""
    random = np.random.RandomState(0)

    def picture(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.randint(0, 256, (6, 6, 3)).astype(np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (260, 240), interpolation=cv2.INTER_CUBIC))

    for name, count in (("MINE", 32), ("VAL", 2)):
        for wnid in ("n01440764", "n01443537"):
            for index in range(count):
                picture(folder / name / wnid / f"{index}.jpg")
    for index in range(8):
        picture(folder / "PHOTOGRAPHS" / f"{index}.jpg")
    picture(folder / "photo.jpg")
    assert run("tools/make_shapes.py", folder / "DIR", "--train", 8, "--val", 2).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, text in texts().items() if blocks(text)])
def test_blocks_run(name, clone):
    fill(clone.folder)
    for block in blocks(texts()[name]):
        if block.reason is None:
            command = ("python", "-c") if block.language == "python" else ("bash", "-euo", "pipefail", "-c")
            done = clone(*command, block.code)
            assert done.returncode == 0, f"{name}:{block.line}\n{block.code}\n{done.stdout}"


@pytest.mark.slow
def test_quickstart(clone):
    """With half the training, and one epoch of quantising: C and core equal the interpreter, and digits are read."""
    recipe = clone.folder / "recipes" / "quickstart.sh"
    text = recipe.read_text()
    assert "--num-epochs 5" in text
    recipe.write_text(text.replace("--num-epochs 5", "--num-epochs 1"))
    done = clone("bash", "recipes/quickstart.sh", "--num-epochs", "6")
    assert done.returncode == 0, done.stdout
    assert "360 of 360 pictures equal" in done.stdout and "Left out" not in done.stdout, done.stdout
    assert "core in verilator: 10 of 10 pictures equal" in done.stdout, done.stdout
    assert "palace" in done.stdout, "china.jpg of scikit-learn"
    for name in ("net.params", "training.png", "roms/etinynet_roms.json", "firmware/README.md", "figures/fig3.png",
                 "report.html", "demo.html"):
        assert (clone.folder / "runs" / "quickstart" / name).is_file(), name
    done = clone("python", "benchmarks/check.py", "--runs", "runs", "--out", "check.csv")
    assert done.returncode == 0, done.stdout
    metrics = json.loads((clone.folder / "runs" / "quickstart" / "metrics.json").read_text())
    assert metrics["test_top1"] >= 90 and metrics["n"] == 360


@pytest.mark.slow
def test_a_block_that_fails_is_noticed(clone):
    assert clone("bash", "-euo", "pipefail", "-c", "false\ntrue").returncode != 0
    assert clone("python", "-c", "1 / 0").returncode != 0
    done = clone("bash", "recipes/table1.sh", "--model", "etinynet9")
    assert done.returncode == 2 and "Installing" not in done.stdout
