"""Recipes as chains of tools: which commands they give, with a `python` that only writes down how it is called."""

import os
import shlex
import shutil
import subprocess

import pytest
from running import ROOT

RECORDER = """#!/usr/bin/env bash
printf '%q ' "$@" >>"$LOG"; printf '\\n' >>"$LOG"
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
    (programs / "python").write_text(RECORDER)
    (programs / "python").chmod(0o755)
    environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", LOG=str(tmp_path / "log"))

    def run(name, *arguments, status=0):
        (tmp_path / "log").write_text("")
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


def test_the_demo_of_table5_is_measured_in_float_and_at_8_bits(recipe):
    commands = recipe("table5.sh", "--demo", "--save-dir", "out", "--epochs", "1")
    assert [command[0] for command in commands] == [
        "tools/make_shapes.py", "benchmarks/table5.py", "tools/train_ssd.py", "tools/eval_ssd.py", "tools/quantize.py",
        "tools/eval_ssd.py"]
    assert flag(commands[4], "--photographs") == "out/shapes/ImageSets/Main/train.txt"
    assert flag(commands[4], "--save-dir") + "/net.params" == flag(commands[5], "--params")
    (command,) = recipe("table5.sh", "--params", "x.params", "--int8")
    assert command == ["benchmarks/table5.py", "--params", "x.params", "--int8"]
