"""The training loop against a second implementation in NumPy, and what it does when things go wrong."""

import json
import math
import os
import pickle
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gluon_etinynet import training
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data import ArraySource, Loading
from gluon_etinynet.files import InputError
from gluon_etinynet.networks.params_file import read_params
from gluon_etinynet.training import checkpoint

nn = mx.gluon.nn
ROOT = Path(__file__).resolve().parents[2]


def pictures(samples=64, classes=4, size=8, seed=3):
    """Random pictures, each with the brightness of its class."""
    draw = np.random.RandomState(seed)
    labels = draw.randint(0, classes, samples)
    images = draw.randint(0, 256, (samples, size, size, 3)) // 4 + labels[:, None, None, None] * 60
    return images.clip(0, 255).astype(np.uint8), labels


def make_source(samples=64, batch_size=16, train=True, seed=5):
    return ArraySource(*pictures(samples), Loading(batch_size, train=train, seed=seed), flip=train)


def make_net(channels=8):
    """With BN, whose running statistics a checkpoint must hold, and dropout, which draws random numbers."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(channels, 3, in_channels=3, activation="relu"), nn.BatchNorm(in_channels=channels),
            nn.GlobalAvgPool2D(), nn.Dropout(0.2), nn.Dense(4, in_units=channels))
    return net


def config(**changes):
    return training.Config(**dict({"epochs": 4, "lr": 0.02, "seed": 7}, **changes))


def weights(net):
    return {name: parameter.data().asnumpy() for name, parameter in net._collect_params_with_prefix().items()}


def assert_same_bits(a, b):
    assert list(a) == list(b)
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), f"{name} differs by up to {abs(a[name] - b[name]).max()}"


class Broken:
    """A source whose epoch `number` calls `happen(data)` for its batch `batch`."""

    def __init__(self, source, epoch, batch, happen):
        self.__dict__.update(source.__dict__)
        self.source, self.where, self.happen = source, (epoch, batch), happen

    def __len__(self):
        return len(self.source)

    def epoch(self, number):
        for batch, (data, label) in enumerate(self.source.epoch(number)):
            if (number, batch) == self.where:
                data = self.happen(data)
            yield data, label


def stop(_):
    raise KeyboardInterrupt


def test_defaults_are_the_papers_recipe():
    paper = training.Config()
    assert (paper.epochs, paper.lr, paper.lr_mode, paper.momentum, paper.wd) == (300, 0.1, "cosine", 0.9, 1e-4)
    assert (paper.optimizer, paper.no_wd, paper.warmup_epochs) == ("sgd", False, 0)


@pytest.mark.parametrize("epochs_done, expected", [(0, 0.1), (75, 0.1 * (1 + math.sqrt(0.5)) / 2), (150, 0.05),
                                                   (225, 0.1 * (1 - math.sqrt(0.5)) / 2), (300, 0)])
def test_cosine(epochs_done, expected):
    assert training.learning_rate(training.Config(), epochs_done) == pytest.approx(expected, abs=1e-15)


def test_warm_up_rises_to_the_rate_and_then_falls():
    warm = training.Config(epochs=25, warmup_epochs=5)
    assert [training.learning_rate(warm, done) for done in (0, 2.5, 5)] == pytest.approx([0, 0.05, 0.1])
    assert training.learning_rate(warm, 15) == pytest.approx(0.05)
    assert training.learning_rate(training.Config(lr_mode="linear", epochs=10), 4) == pytest.approx(0.06)
    assert training.learning_rate(training.Config(lr_mode="constant"), 299) == 0.1


@pytest.mark.parametrize("bad", [{"lr_mode": "step"}, {"optimizer": "adam"}, {"dtype": "int8"}, {"mode": "eager"},
                                 {"epochs": 0}, {"lr": 0}, {"lr": float("nan")}, {"momentum": 1}, {"wd": -1},
                                 {"warmup_epochs": 300}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(InputError):
        training.Config(**bad)


def numpy_training(source, weight, bias, options):
    """Softmax regression by (Nesterov) SGD in float64; the rate is in the momentum, as MXNet has it."""
    speed_w, speed_b = np.zeros_like(weight), np.zeros_like(bias)
    batches = source.samples_per_epoch // source.batch_size
    for epoch in range(options.epochs):
        for batch, (data, label) in enumerate(source.epoch(epoch)):
            x, y = data.asnumpy().reshape(len(label), -1).astype(np.float64) / 128, label.asnumpy().astype(int)
            z = x @ weight.T + bias
            p = np.exp(z - z.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            p[np.arange(len(y)), y] -= 1
            rate = 0.5 * options.lr * (1 + math.cos(math.pi * (epoch * batches + batch) / (batches * options.epochs)))
            grad_w = p.T @ x / len(y) + options.wd * weight
            grad_b = p.mean(0) + (0 if options.no_wd else options.wd) * bias
            step_w, step_b = rate * grad_w, rate * grad_b
            speed_w, speed_b = options.momentum * speed_w - step_w, options.momentum * speed_b - step_b
            if options.optimizer == "nag":
                old_w, old_b = weight, bias
                weight, bias = weight + options.momentum * speed_w - step_w, bias + options.momentum * speed_b - step_b
                # MXNet works in place: the decay that goes into the momentum is that of the new weight.
                speed_w -= rate * options.wd * (weight - old_w)
                speed_b -= rate * (0 if options.no_wd else options.wd) * (bias - old_b)
            else:
                weight, bias = weight + speed_w, bias + speed_b
    return weight, bias


@pytest.mark.parametrize("optimizer", ["sgd", "nag"])
@pytest.mark.parametrize("no_wd", [False, True])
@pytest.mark.parametrize("mode", ["hybrid", "imperative"])
def test_the_loop_is_sgd_with_momentum_decay_and_cosine(tmp_path, optimizer, no_wd, mode):
    options = config(epochs=3, wd=0.05, optimizer=optimizer, no_wd=no_wd, mode=mode)
    net = nn.HybridSequential()
    net.add(nn.Dense(4, in_units=192))
    net.initialize(mx.init.Uniform(0.1))
    net[0].bias.set_data(mx.nd.array([1, -1, 2, 0.5]))
    expected = numpy_training(make_source(), *[p.astype(np.float64) for p in weights(net).values()], options)

    def loss(net, data, label):
        return training.cross_entropy(net, data / 128, label)

    training.train(net, make_source(), None, options, tmp_path, task=training.Task(loss), log=lambda line: None)
    for got, wanted in zip(weights(net).values(), expected):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6)


def test_the_network_gets_he_initialisation_from_the_seed(tmp_path):
    from gluon_etinynet.model_zoo import get_model

    nets = [get_model("etinynet0.75", classes=10) for _ in range(3)]
    for net, seed in zip(nets, (1, 1, 2)):
        source = Broken(make_source(), 0, 0, stop)  # before the first step
        with pytest.raises(KeyboardInterrupt):
            training.train(net, source, None, config(seed=seed), tmp_path, log=lambda line: None)
    a, b, c = map(weights, nets)
    assert_same_bits(a, b)
    pointwise = "features.4.2.pw.weight"
    assert (a[pointwise] != c[pointwise]).mean() > 0.99
    assert a[pointwise].std() == pytest.approx(math.sqrt(2 / 192), rel=0.02)  # fan in: 192 channels


def test_evaluation_counts_every_sample_once():
    net = nn.HybridSequential()
    net.add(nn.Dense(4, in_units=192))
    net.initialize(mx.init.Uniform(0.01))
    source = make_source(samples=37, batch_size=16, train=False)
    logits = np.concatenate([net(data).asnumpy() for data, _ in source.epoch(0)]).astype(np.float64)
    labels = np.concatenate([label.asnumpy() for _, label in source.epoch(0)]).astype(int)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    means = training.evaluate(net, source)
    assert means["samples"] == 37
    assert means["top1"] == pytest.approx((logits.argmax(1) == labels).sum() / 37)
    assert means["top5"] == 1  # four classes
    assert means["loss"] == pytest.approx(-log_p[np.arange(37), labels].mean(), rel=1e-5)


def test_top5_among_more_classes():
    images, _ = pictures(40)
    net = nn.HybridSequential()
    net.add(nn.Dense(20, in_units=192))
    net.initialize(mx.init.Uniform(0.01))
    labels = np.random.RandomState(1).randint(0, 20, 40)
    logits = np.concatenate([net(data).asnumpy() for data, _ in ArraySource(images, labels, Loading(40)).epoch(0)])
    ranks = (logits > logits[np.arange(40), labels][:, None]).sum(1)
    assert 0 < (ranks < 1).sum() < (ranks < 5).sum() < 40
    means = training.evaluate(net, ArraySource(images, labels, Loading(16, classes=20)))
    assert (means["top1"], means["top5"]) == pytest.approx(((ranks < 1).mean(), (ranks < 5).mean()))


def test_two_devices_share_a_batch(tmp_path):
    results = []
    for ctx in ([mx.cpu(0)], [mx.cpu(0), mx.cpu(1)]):
        net = nn.HybridSequential()
        net.add(nn.Conv2D(4, 3, in_channels=3, activation="relu"), nn.GlobalAvgPool2D(), nn.Dense(4, in_units=4))
        history = training.train(net, make_source(batch_size=15), make_source(samples=33, train=False), config(),
                                 tmp_path / str(len(ctx)), ctx=ctx, log=lambda line: None)
        results.append(({name: p.list_data()[-1].asnumpy() for name, p in net._collect_params_with_prefix().items()},
                        history))
    (one, history_one), (two, history_two) = results
    for name in one:
        np.testing.assert_allclose(one[name], two[name], atol=1e-5)
    for a, b in zip(history_one, history_two):
        assert a["training_loss"] == pytest.approx(b["training_loss"], rel=1e-5)
        assert a["validation_loss"] == pytest.approx(b["validation_loss"], rel=1e-5)


def test_a_batch_smaller_than_the_devices_is_refused(tmp_path):
    with pytest.raises(InputError, match="shared by 2 devices"):
        training.train(make_net(), make_source(batch_size=1), None, config(), tmp_path, ctx=[mx.cpu(0), mx.cpu(1)])


@pytest.mark.draws
def test_what_people_look_at(tmp_path):
    lines = []
    history = training.train(make_net(), make_source(), make_source(samples=33, train=False), config(), tmp_path,
                             log=lines.append, log_interval=2)
    text = "\n".join(lines)
    for epoch in range(4):
        assert re.search(rf"^\[Epoch {epoch}\] training: accuracy=0\.\d+ ", text, re.M)
        assert re.search(rf"^\[Epoch {epoch}\] speed: \d+ samples/sec\ttime cost: \d+\.\d+$", text, re.M)
        found = re.search(rf"^\[Epoch {epoch}\] validation: err-top1=(\S+) err-top5=(\S+)$", text, re.M)
        assert float(found.group(1)) == pytest.approx(1 - history[epoch]["validation_top1"], abs=1e-6)
    assert len(re.findall(r"^Epoch\[\d\] Batch \[[13]\]\tSpeed: ", text, re.M)) == 8
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == history
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert history[-1]["training_accuracy"] > history[0]["training_accuracy"]


class GoodOnce:
    """A validation source whose labels are right only when it is read for the second time."""

    def __init__(self, net, source):
        self.net, self.source, self.reads = net, source, 0

    def __len__(self):
        return len(self.source)

    def epoch(self, number):
        self.reads += 1
        for data, _ in self.source.epoch(number):
            yield data, (self.net(data).argmax(axis=1) + (self.reads != 2)) % 4


def test_the_best_weights_are_kept(tmp_path):
    net = make_net()
    history = training.train(net, make_source(), GoodOnce(net, make_source(samples=32, batch_size=32, train=False)),
                             config(epochs=3), tmp_path, log=lambda line: None)
    assert [row["validation_top1"] for row in history] == [0, 1, 0]
    assert_same_bits(read_params(tmp_path / "best.params"), read_params(tmp_path / "epoch-0001" / "net.params"))
    assert sorted(path.name for path in tmp_path.glob("epoch-*")) == ["epoch-0001", "epoch-0002"]


class ElementwiseNet(mx.gluon.HybridBlock):
    """A linear classifier without matrix products, which MXNet does not have in float16 on the CPU."""

    def __init__(self):
        super().__init__()
        self.weight = self.params.get("weight", shape=(4, 3), init=mx.init.Uniform(0.1))

    def hybrid_forward(self, F, x, weight):
        return F.broadcast_mul((x / 128).mean(axis=(2, 3)).expand_dims(1), weight.expand_dims(0)).sum(axis=2)


def test_float16_keeps_float32_master_weights(tmp_path):
    half, single = config(dtype="float16", lr=0.5), config(lr=0.5)
    whole, resumed, reference = ElementwiseNet(), ElementwiseNet(), ElementwiseNet()
    training.train(whole, make_source(), None, half, tmp_path / "a", log=lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        training.train(ElementwiseNet(), Broken(make_source(), 2, 1, stop), None, half, tmp_path / "b",
                       log=lambda line: None)
    training.train(resumed, make_source(), None, half, tmp_path / "b", resume=True, log=lambda line: None)
    training.train(reference, make_source(), None, single, tmp_path / "c", log=lambda line: None)
    assert weights(whole)["weight"].dtype == np.float16
    assert_same_bits(weights(whole), weights(resumed))
    np.testing.assert_allclose(weights(whole)["weight"], weights(reference)["weight"], atol=5e-3)
    for run in "ab":
        with np.load(tmp_path / run / "epoch-0003" / "optimizer.npz") as archive:
            momentum, master = archive["weight:0"], archive["weight:1"]
        assert momentum.dtype == master.dtype == np.float32
        assert (master != master.astype(np.float16)).any()
        np.testing.assert_array_equal(master.astype(np.float16), weights(whole)["weight"])


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


def test_another_training_is_not_resumed(trained):
    def resume(net, source, options):
        training.train(net, source, None, options, trained, resume=True)

    with pytest.raises(InputError, match=r"another architecture: 0.weight has shape \(8, 3, 3, 3\) there and \(16, 3,"):
        resume(make_net(16), make_source(), config())
    with pytest.raises(InputError, match="lr=0.02 and not 0.05"):
        resume(make_net(), make_source(), config(lr=0.05))
    with pytest.raises(InputError, match="batch_size=16 and not 8"):
        resume(make_net(), make_source(batch_size=8), config())
    with pytest.raises(InputError, match="resume it, or choose another save_dir"):
        training.train(make_net(), make_source(), None, config(), trained)
    resume(make_net(), make_source(), config())


def test_resume_without_a_checkpoint_starts(tmp_path):
    lines = []
    training.train(make_net(), make_source(), None, config(epochs=1), tmp_path, resume=True, log=lines.append)
    assert lines[0].startswith("no checkpoint in ")


@pytest.mark.parametrize("batch", [0, 2, 3])
def test_a_loss_that_is_not_finite_stops_the_training(tmp_path, batch):
    source = Broken(make_source(), 1, batch, lambda data: data * float("inf"))
    rate = training.learning_rate(config(), 1 + batch / 4)
    with pytest.raises(InputError, match=f"not finite at epoch 1, batch {batch}, learning rate {rate:.6g};"):
        training.train(make_net(), source, None, config(), tmp_path, log=lambda line: None)
    assert [path.name for path in tmp_path.glob("epoch-*")] == ["epoch-0000"]
    folder, record = checkpoint.newest_checkpoint(tmp_path)
    assert record["epoch"] == 0 and read_params(folder / "net.params")


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    """A last update can spoil the weights while every loss was finite."""
    def loss(net, data, label):
        values, logits = training.cross_entropy(net, data, label)
        return mx.nd.where(values > -1, values, values) + 0 * mx.nd.sqrt(values - mx.nd.stop_gradient(values)), logits

    with pytest.raises(InputError, match="not finite at epoch 0, batch 0"):
        training.train(make_net(), make_source(samples=16), None, config(), tmp_path, task=training.Task(loss))
    assert not list(tmp_path.glob("epoch-*"))


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, whole):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(data):
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, hard))  # the next file breaks off there
        return data

    net = make_net()
    try:
        with pytest.raises(InputError, match=r"cannot write \S+epoch-0002: .*resume from the last .*epoch-0001\)$"):
            training.train(make_net(), Broken(make_source(), 2, 0, fill), None, config(), tmp_path / "a",
                           log=lambda line: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in (tmp_path / "a").glob("*epoch*")) == ["epoch-0000", "epoch-0001"]
    assert not list((tmp_path / "a").glob(".partial*"))
    training.train(net, make_source(), None, config(), tmp_path / "a", resume=True, log=lambda line: None)
    assert_same_bits(weights(net), whole)


def test_an_unwritable_folder_is_named_before_the_first_epoch(tmp_path):
    (tmp_path / "file").write_text("")
    started = Broken(make_source(), 0, 0, stop)
    with pytest.raises(InputError, match="cannot write .*file/runs: Not a directory"):
        training.train(make_net(), started, None, config(), tmp_path / "file" / "runs")


def test_a_checkpoint_loads_without_pickle(trained):
    with np.load(trained / "epoch-0001" / "optimizer.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["0.bias:0", "0.weight:0", "1.beta:0", "1.gamma:0", "4.bias:0", "4.weight:0"]
        assert all(np.isfinite(archive[name]).all() and archive[name].any() for name in archive.files)


def test_a_tensorboard_log_has_every_epoch_or_names_the_package(tmp_path, monkeypatch):
    def run(folder):
        training.train(make_net(), make_source(), None, config(), tmp_path / folder, tensorboard=tmp_path / "log",
                       log=lambda line: None)

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tensorboardX", None)
        with pytest.raises(InputError, match=r"gluon_etinynet\[tensorboard\]"):
            run("a")
    pytest.importorskip("tensorboardX")
    run("b")
    content = b"".join(path.read_bytes() for path in (tmp_path / "log").iterdir())
    assert content.count(b"training_loss") == 4


def test_too_many_gpus():
    with pytest.raises(InputError, match="999 GPUs wanted, MXNet sees"):
        training.contexts(999)


def test_a_distributed_store_needs_its_launcher(monkeypatch):
    monkeypatch.delenv("DMLC_ROLE", raising=False)
    with pytest.raises(InputError, match="train_distributed.sh"):
        with training.open_workers("dist_sync"):
            pass


KILLED = """
import sys
sys.path.insert(0, sys.argv[3])
import test_loop as t
t.training.train(t.make_net(), t.make_source(samples=512), t.make_source(samples=64, train=False),
                 t.config(epochs=12), sys.argv[1], resume=sys.argv[2] == "resume",
                 log=lambda line: print(line, flush=True))
"""


def start(folder, how="resume"):
    return subprocess.Popen([sys.executable, "-c", KILLED, str(folder), how, str(Path(__file__).parent)],
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
        if kills < 6:
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
