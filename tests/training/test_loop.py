"""The training loop against a second implementation in NumPy, and what it does when things go wrong."""

import json
import math
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from running import ROOT, largest_file
from small_trainings import Broken, assert_same_bits, config, make_net, make_source, pictures, stop, weights

from gluon_etinynet import training
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data import ArraySource, Loading
from gluon_etinynet.files import InputError
from gluon_etinynet.networks.params_file import read_params
from gluon_etinynet.training import checkpoint
from gluon_etinynet.training.curves import tensorboard_log

nn = mx.gluon.nn


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


HOMELESS = """
import os, pwd, sys
def getpwuid(number):
    raise KeyError(number)
pwd.getpwuid = getpwuid
for name in ("HOME", "MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
    os.environ.pop(name, None)
from gluon_etinynet.training.curves import draw_curves
draw_curves(sys.argv[1], [{"epoch": 0, "training_loss": 1.0}])
"""


def test_curves_need_no_home(tmp_path):
    """As in a container whose user has no name: matplotlib looks for a home when it is imported."""
    subprocess.run([sys.executable, "-c", HOMELESS, tmp_path / "a.png"], cwd=ROOT, check=True)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


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


def test_the_best_of_a_training_that_began_without_validation(tmp_path):
    options = dict(config=config(epochs=3), save_dir=tmp_path, log=lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        training.train(make_net(), Broken(make_source(), 1, 0, stop), None, **options)
    assert not (tmp_path / "best.params").exists()
    net = make_net()
    history = training.train(net, make_source(), GoodOnce(net, make_source(samples=32, batch_size=32, train=False)),
                             resume=True, **options)
    assert [row.get("validation_top1") for row in history] == [None, 0, 1]
    assert_same_bits(read_params(tmp_path / "best.params"), read_params(tmp_path / "epoch-0002" / "net.params"))


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


def test_an_unwritable_folder_is_named_before_the_first_epoch(tmp_path):
    (tmp_path / "file").write_text("")
    started = Broken(make_source(), 0, 0, stop)
    with pytest.raises(InputError, match="cannot write .*file/runs: Not a directory"):
        training.train(make_net(), started, None, config(), tmp_path / "file" / "runs")


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


def masked_checksum(data):
    """CRC-32C bit by bit, as TFRecord masks it."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82f63b78 * (crc & 1)
    crc ^= 0xffffffff
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff)


def events(folder):
    """All events of a TensorBoard log without their times, each record checked against its length and checksums."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    (path,), found = folder.iterdir(), []
    content = path.read_bytes()
    while content:
        length, = struct.unpack("<Q", content[:8])
        data = content[12:12 + length]
        assert content[8:12] == masked_checksum(content[:8])
        assert content[12 + length:16 + length] == masked_checksum(data)
        found.append(event_pb2.Event.FromString(data))
        found[-1].ClearField("wall_time")
        content = content[16 + length:]
    return found


def test_a_tensorboard_log_is_what_tensorboardx_writes(tmp_path):
    tensorboard = pytest.importorskip("tensorboardX")
    rows = [{"epoch": 2, "loss": 0.5}, {"epoch": 3, "loss": 0.25, "top1": 1.0}]
    add = tensorboard_log(tmp_path / "ours", 2)
    theirs = tensorboard.SummaryWriter(str(tmp_path / "theirs"), purge_step=2)
    for row in rows:
        add(row["epoch"], row)
        for name, value in row.items():
            theirs.add_scalar(name, value, row["epoch"])
    theirs.close()
    found = events(tmp_path / "ours")
    assert len(found) == 7 and found == events(tmp_path / "theirs")[1:]  # theirs begins with the version twice
    (path,) = (tmp_path / "ours").iterdir()
    with largest_file(path.stat().st_size + 10), pytest.raises(InputError, match="tfevents.*: File too large; choose"):
        add(4, rows[1])
    with pytest.raises(InputError, match="cannot write .*: (Not a directory|File exists); choose"):
        tensorboard_log(path, 0)


def test_too_many_gpus():
    with pytest.raises(InputError, match="999 GPUs wanted, MXNet sees"):
        training.contexts(999)


def test_a_distributed_store_needs_its_launcher(monkeypatch):
    monkeypatch.delenv("DMLC_ROLE", raising=False)
    with pytest.raises(InputError, match="train_distributed.sh"):
        with training.open_workers("dist_sync"):
            pass
