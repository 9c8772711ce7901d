"""Recipes as chains of tools: which commands they give, with a `python` that only writes down how it is called."""

import os
import shlex
import shutil
import subprocess

import pytest
from running import ROOT

RECORDER = """#!/usr/bin/env bash
printf '%q ' "$@" >>"$LOG"; printf '\\n' >>"$LOG"
[ "$1" != "$FAILS" ]
"""
# What recipes/env.sh offers to recipes, without an environment.
ENVIRONMENT = """
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
die() { printf '%s\\n' "$*" >&2; exit 2; }
value() { [ $# -ge 2 ] || die "$1 needs a value"; printf '%s' "$2"; }
"""


@pytest.fixture
def recipe(tmp_path):
    """Run a recipe of a clone with a space in its name, from elsewhere; gives the commands as lists of words."""
    clone, programs = tmp_path / "a clone", tmp_path / "bin"
    shutil.copytree(ROOT / "recipes", clone / "recipes")
    (clone / "recipes" / "env.sh").write_text(ENVIRONMENT)
    programs.mkdir()
    for program, text in (("python", RECORDER), ("make", "#!/bin/sh\n")):
        (programs / program).write_text(text)
        (programs / program).chmod(0o755)
    environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", LOG=str(tmp_path / "log"))

    def run(name, *arguments, status=0, fails="", installed=None):
        """`fails`: the script that ends with an error. `installed`: the only programs, but for the shell's."""
        (tmp_path / "log").write_text("")
        environment["FAILS"] = fails
        if installed is not None:
            for program in ("bash", "basename", "dirname", *installed):
                (tmp_path / "installed").mkdir(exist_ok=True)
                (tmp_path / "installed" / program).symlink_to(shutil.which(program))
            environment["PATH"] = f"{programs}:{tmp_path / 'installed'}"
        done = subprocess.run(["bash", f"a clone/recipes/{name}", *arguments], cwd=tmp_path, env=environment, text=True,
                              capture_output=True)
        assert done.returncode == status, done.stderr
        return [shlex.split(line) for line in (tmp_path / "log").read_text().splitlines()] or done.stderr

    return run


def flag(command, name):
    return command[command.index(name) + 1]


def test_deploy_takes_the_callers_paths(recipe, tmp_path):
    (command,) = recipe("deploy.sh", "--data-dir", "my photos", "--out", "firmware", "--", "--num-epochs", "5")
    assert command == [str(tmp_path / "a clone" / "tools" / "deploy.py"), "--data-dir", "my photos", "--out",
                       "firmware", "--", "--num-epochs", "5"]


def test_finetune_ssd_trains_measures_rounds_and_measures_again(recipe):
    commands = recipe("finetune_ssd.sh", "--dataset-root", "my set", "--network", "etinynet0.75", "--train-split",
                      "a,part/b", "--classes", "cat,dog", "-j", "4", "--epochs", "7", "--save-dir", "out")
    assert [command[0] for command in commands] == ["tools/train_ssd.py", "tools/eval_ssd.py", "tools/quantize.py",
                                                    "tools/eval_ssd.py"]
    training, before, rounding, after = commands
    assert flag(training, "--params") == "released"
    assert flag(training, "--epochs") == "60" and training[-training[::-1].index("--epochs")] == "7"
    assert training[-2:] == ["--save-dir", "out/train"]
    for command, params, folder in ((before, "out/train/best.params", "out"),
                                    (after, "out/int8/net.params", "out/int8")):
        assert flag(command, "--params") == params and flag(command, "--save-dir") == folder
        assert flag(command, "--dataset-root") == "my set" and flag(command, "--classes") == "cat,dog"
        assert flag(command, "-j") == "4" and not {"--epochs", "--train-split"} & set(command)
    assert flag(rounding, "--model") == "ssd_256_etinynet0.75_voc" and flag(rounding, "--scheme") == "linear"
    begin = rounding.index("--photographs") + 1
    assert rounding[begin:begin + 2] == ["my set/./ImageSets/Main/a.txt", "my set/part/ImageSets/Main/b.txt"]


def test_what_finetune_ssd_refuses(recipe):
    assert "--dataset-root DIR is missing" in recipe("finetune_ssd.sh", "--epochs", "7", status=2)
    assert "recipes/table5.sh" in recipe("finetune_ssd.sh", "--dataset", "voc", "--dataset-root", "x", status=2)


MEASURED = ["tools/eval_ssd.py", "tools/quantize.py", "tools/make_graph.py", "tools/export_c.py", "tools/eval_ssd.py",
            "benchmarks/table5.py"]


def test_table5_measures_in_float_as_integers_and_as_c(recipe):
    commands = recipe("table5.sh", "--demo", "--save-dir", "out", "--epochs", "1")
    assert [command[0] for command in commands] == ["tools/make_shapes.py", "tools/train_ssd.py", *MEASURED]
    of_float, rounding, lowering, export, integers, table = commands[2:]
    assert flag(of_float, "--params") == flag(rounding, "--params") == "out/train/best.params"
    assert flag(rounding, "--photographs") == "out/shapes/./ImageSets/Main/train.txt"
    assert flag(rounding, "--save-dir") + "/net.params" == flag(lowering, "--params")
    assert flag(lowering, "--out") == flag(export, "--graph") == flag(integers, "--graph")
    assert flag(integers, "--program") == flag(export, "--out") + "/build/host/ssd"
    assert flag(table, "--float") == flag(of_float, "--save-dir")
    assert flag(table, "--integers") == flag(integers, "--save-dir")
    assert all(flag(command, "--dataset-root") == "out/shapes" for command in (of_float, integers, table))


def test_table5_of_a_checkpoint_and_after_training_on_voc(recipe):
    (command,) = recipe("table5.sh")
    assert command == ["benchmarks/table5.py", "--save-dir", "runs/table5"]
    commands = recipe("table5.sh", "--params", "x.params", "--dataset-root", "voc")
    assert [command[0] for command in commands] == MEASURED and flag(commands[0], "--params") == "x.params"
    begin = commands[1].index("--photographs") + 1
    assert commands[1][begin:begin + 2] == ["voc/VOC2007/ImageSets/Main/trainval.txt",
                                            "voc/VOC2012/ImageSets/Main/trainval.txt"]
    training, *rest = recipe("table5.sh", "--train", "--epochs", "3", "--dataset-root", "voc")
    assert training == ["tools/train_ssd.py", "--params", "released", "--epochs", "3", "--dataset-root", "voc",
                        "--save-dir", "runs/table5/train"]
    assert [command[0] for command in rest] == MEASURED
    assert flag(rest[0], "--params") == "runs/table5/train/best.params"
    assert "leave out --dataset" in recipe("table5.sh", "--demo", "--dataset-root", "x", status=2)
    commands = recipe("table5.sh", "--params", "x.params", "--dataset", "custom", "--dataset-root", "mine")
    assert flag(commands[1], "--photographs") == "mine/./ImageSets/Main/train.txt"


@pytest.mark.parametrize("arguments, word", [
    (["--epochs", "3"], "--epochs"), (["--params", "x.params", "--int8"], "--int8"),
    (["--dataset-root", "x"], "--params"), (["--train-split", "x"], "--params"), (["-j", "2"], "--params"),
    (["--network", "etinynet0.75"], "finetune_ssd.sh"), (["--train", "--int8"], "--int8"),
    (["--demo", "--train-split", "x"], "leave out --train-split")])
def test_table5_takes_no_option_without_a_use(recipe, arguments, word):
    assert word in recipe("table5.sh", *arguments, status=2)


@pytest.mark.parametrize("name, arguments, word", [
    ("finetune_ssd.sh", ["--dataset-root", "x", "--int8"], "--int8: this recipe"),
    ("finetune_ssd.sh", ["--validation-part", "0.1"], "--validation-part: this recipe"),
    ("table2.sh", ["--train", "--val-dir", "x", "--model", "etinynet0.75_nonlinear"], "nonlinear: Table 2")])
def test_what_would_fail_after_the_training_is_refused_before(recipe, name, arguments, word):
    assert word in recipe(name, *arguments, status=2)


def test_table5_names_the_programs_that_are_missing(recipe):
    said = recipe("table5.sh", "--train", status=2, installed=["cc"])
    assert "missing: arm-none-eabi-gcc qemu-system-arm; on Debian" in said


def test_table2_trains_and_measures_on_the_same_records(recipe):
    records = ["--rec-val", "val.rec", "--rec-val-idx", "other.idx"]
    training, table = recipe("table2.sh", "--train", "--rec-train", "train.rec", *records)
    assert training == ["tools/train_imagenet.py", "--rec-train", "train.rec", *records, "--save-dir",
                        "runs/table2/etinynet1.0"]
    assert table[:3] == ["benchmarks/table2.py", "--model", "etinynet1.0"] and "--use-rec" in table
    assert flag(table, "--rec-val") == "val.rec" and flag(table, "--rec-val-idx") == "other.idx"
    assert "needs validation data" in recipe("table2.sh", "--train", "--rec-train", "train.rec", status=2)


def test_the_quickstart_goes_on_without_the_released_weights_but_not_without_given_ones(recipe):
    commands = recipe("quickstart.sh", fails="tools/classify.py")
    assert [command[0] for command in commands][-1] == "tools/report.py"
    recipe("quickstart.sh", "--params", "x.params", fails="tools/classify.py", status=2)
