"""Trainings that are stopped, killed, on a full disk, or find damaged checkpoints: resumed, they have the same bits."""

import contextlib
import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from running import ROOT, largest_file
from small_trainings import Broken, assert_same_bits, config, make_net, make_source, stop, weights

from gluon_etinynet import training
from gluon_etinynet._mxnet import mx
from gluon_etinynet.files import InputError
from gluon_etinynet.networks.params_file import read_params
from gluon_etinynet.training import checkpoint


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The weights after a training to which nothing has happened."""
    net = make_net()
    training.train(net, make_source(), None, config(), tmp_path_factory.mktemp("whole"), log=lambda line: None)
    return weights(net)


@pytest.mark.parametrize("changes", [{}, {"optimizer": "nag"}, {"momentum": 0.0}])
def test_a_resumed_training_has_the_same_bits(tmp_path, changes, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a pickle")

    whole, resumed, lines = make_net(), make_net(), []
    training.train(whole, make_source(), None, config(**changes), tmp_path / "whole", log=lambda line: None)
    for name in ("load", "loads", "dump", "dumps"):
        monkeypatch.setattr(pickle, name, refuse)
    with pytest.raises(KeyboardInterrupt):
        training.train(make_net(), Broken(make_source(), 2, 1, stop), None, config(**changes), tmp_path / "resumed",
                       log=lambda line: None)
    training.train(resumed, make_source(), None, config(**changes), tmp_path / "resumed", resume=True, log=lines.append)
    assert lines[0].startswith("resuming after epoch 1 ")
    assert_same_bits(weights(whole), weights(resumed))
    assert len((tmp_path / "resumed" / "metrics.jsonl").read_text().splitlines()) == 4


def test_the_test_above_can_fail(tmp_path, whole, monkeypatch):
    """Without the momenta the resumed training ends elsewhere."""
    resumed = make_net()
    with pytest.raises(KeyboardInterrupt):
        training.train(make_net(), Broken(make_source(), 2, 1, stop), None, config(), tmp_path / "resumed",
                       log=lambda line: None)
    monkeypatch.setattr(checkpoint, "_flat", lambda state: [])
    training.train(resumed, make_source(), None, config(), tmp_path / "resumed", resume=True, log=lambda line: None)
    with pytest.raises(AssertionError, match="differs"):
        assert_same_bits(whole, weights(resumed))


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    with pytest.raises(KeyboardInterrupt):
        training.train(make_net(), Broken(make_source(), 2, 0, stop), None, config(), folder, log=lambda line: None)
    return folder


@pytest.fixture
def trained(two_epochs, tmp_path):
    """A folder with a training of two epochs out of four."""
    return shutil.copytree(two_epochs, tmp_path / "trained")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["net.params", "optimizer.npz", "checkpoint.json"])
@pytest.mark.parametrize("damage", [flip_a_bit, Path.unlink, lambda path: os.truncate(path, 100)],
                         ids=["bit", "missing", "truncated"])
def test_a_damaged_checkpoint_is_passed_over(trained, whole, file, damage):
    if (file, damage) == ("checkpoint.json", flip_a_bit):
        (trained / "epoch-0001" / file).write_text("{}")
    else:
        damage(trained / "epoch-0001" / file)
    net, lines = make_net(), []
    training.train(net, make_source(), None, config(), trained, resume=True, log=lines.append)
    assert re.match(r"passing over the damaged checkpoint \S+epoch-0001 \(.*\)$", lines[0])
    assert lines[1].startswith("resuming after epoch 0 ")
    assert_same_bits(weights(net), whole)


def test_what_is_trained_anew_beside_damaged_checkpoints_stays(trained, whole):
    for epoch in ("epoch-0000", "epoch-0001"):
        flip_a_bit(trained / epoch / "net.params")
    with pytest.raises(KeyboardInterrupt):
        training.train(make_net(), Broken(make_source(), 1, 0, stop), None, config(), trained, resume=True,
                       log=lambda line: None)
    net, lines = make_net(), []
    training.train(net, make_source(), None, config(), trained, resume=True, log=lines.append)
    assert lines[0].startswith("resuming after epoch 0 ")
    assert_same_bits(weights(net), whole)


def test_another_training_is_not_resumed(trained):
    def resume(net, source, options):
        training.train(net, source, None, options, trained, resume=True)

    with pytest.raises(InputError, match=r"another architecture: 0.weight has shape \(8, 3, 3, 3\) there and \(16, 3,"):
        resume(make_net(16), make_source(), config())
    with pytest.raises(InputError, match="lr=0.02 and not 0.05"):
        resume(make_net(), make_source(), config(lr=0.05))
    with pytest.raises(InputError, match="batch_size=16 and not 8"):
        resume(make_net(), make_source(batch_size=8), config())
    other = make_net()
    other.add(mx.gluon.nn.ELU())  # without parameters
    with pytest.raises(InputError, match=r"blocks=\[.*\] and not \[.*'ELU'"):
        resume(other, make_source(), config())
    with pytest.raises(InputError, match="resume it, or choose another save_dir"):
        training.train(make_net(), make_source(), None, config(), trained)
    resume(make_net(), make_source(), config())


def test_resume_without_a_checkpoint_starts(tmp_path):
    lines = []
    training.train(make_net(), make_source(), None, config(epochs=1), tmp_path, resume=True, log=lines.append)
    assert lines[0].startswith("no checkpoint in ")


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, whole):
    net, disk = make_net(), contextlib.ExitStack()

    def fill(data):
        disk.enter_context(largest_file(700))  # the next file breaks off there
        return data

    with disk, pytest.raises(InputError, match=r"cannot write \S+epoch-0002: .*resume from the last .*epoch-0001\)$"):
        training.train(make_net(), Broken(make_source(), 2, 0, fill), None, config(), tmp_path / "a",
                       log=lambda line: None)
    assert sorted(path.name for path in (tmp_path / "a").glob("*epoch*")) == ["epoch-0000", "epoch-0001"]
    assert not list((tmp_path / "a").glob(".partial*"))
    training.train(net, make_source(), None, config(), tmp_path / "a", resume=True, log=lambda line: None)
    assert_same_bits(weights(net), whole)


def test_a_checkpoint_loads_without_pickle(trained):
    with np.load(trained / "epoch-0001" / "optimizer.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["0.bias:0", "0.weight:0", "1.beta:0", "1.gamma:0", "4.bias:0", "4.weight:0"]
        assert all(np.isfinite(archive[name]).all() and archive[name].any() for name in archive.files)


KILLED = """
import sys
sys.path.insert(0, sys.argv[3])
import small_trainings as t
t.training.train(t.make_net(), t.make_source(samples=512), t.make_source(samples=64, train=False),
                 t.config(epochs=12), sys.argv[1], resume=sys.argv[2] == "resume",
                 log=lambda line: print(line, flush=True))
"""


def start(folder, how="resume"):
    return subprocess.Popen([sys.executable, "-c", KILLED, str(folder), how, str(ROOT / "tests")],
                            env=dict(os.environ, PYTHONPATH=str(ROOT)), stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed(tmp_path):
    """SIGKILL in training, evaluation and the writing of checkpoints, until one run comes to its end."""
    process = start(tmp_path / "whole", "start")
    process.communicate(timeout=120)
    assert process.returncode == 0
    draw, kills, epochs = random.Random(os.getpid()), 0, []
    for _ in range(40):
        process = start(tmp_path / "killed")
        first = process.stdout.readline()  # it has begun
        epochs.append(first)
        time.sleep(draw.uniform(0, 0.6))
        if kills < 4:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
        kills += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            break
    assert kills >= 3 and process.returncode == 0, epochs
    for name in ("epoch-0011/net.params", "epoch-0010/net.params", "best.params"):
        a, b = (read_params(tmp_path / run / name) for run in ("whole", "killed"))
        assert_same_bits(a, b)
    with np.load(tmp_path / "whole" / "epoch-0011" / "optimizer.npz") as a, \
            np.load(tmp_path / "killed" / "epoch-0011" / "optimizer.npz") as b:
        assert_same_bits(dict(a), dict(b))
    rows = [[json.loads(line) for line in (tmp_path / run / "metrics.jsonl").read_text().splitlines()]
            for run in ("whole", "killed")]
    for a, b in zip(*rows):
        for key in ("epoch", "training_loss", "training_accuracy", "validation_loss", "validation_top1"):
            assert a[key] == b[key]
