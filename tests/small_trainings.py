"""A small training that several tests share: its pictures, its network, and what may happen in the middle of it."""

import numpy as np

from gluon_etinynet import training
from gluon_etinynet._mxnet import mx
from gluon_etinynet.data import ArraySource, Loading

nn = mx.gluon.nn


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
