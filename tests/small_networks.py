"""Small networks of random weights, and pictures for them, that several tests share."""

import numpy as np

from gluon_etinynet._mxnet import mx
from gluon_etinynet.detection.ssd import EtinyNetSSD
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.etinynet import EtinyNet, etinynet0_75
from gluon_etinynet.quantize.ptq import quantise

SIZE = 33
WIDTHS = [(8, 8), (12, 12), (16, 16), (16, 24)]
DEAD = 3  # this channel of features.2.1.pw


def pictures(count=16, seed=0):
    """Blurred noise: neighbours resemble each other, as in photographs."""
    noise = np.random.RandomState(seed).normal(0, 1, (count, 3, SIZE + 4, SIZE + 4))
    for axis in (2, 3):
        noise = sum(np.roll(noise, shift, axis) for shift in range(5))
    return np.clip(noise[:, :, 4:, 4:] * 15, -128, 127).astype(np.int8)


def batch(images):
    return mx.nd.array(images, dtype="float32")


def small_net(widths=WIDTHS):
    """Weights and BN as if trained: gammas of both signs, and a nearly dead channel of a pointwise layer."""
    mx.random.seed(5)
    net = EtinyNet(8, widths, classes=5)
    net.initialize()
    weight = net.features[2][-1].pw.weight
    rows = weight.data().asnumpy()
    rows[DEAD] *= 1e-4
    weight.set_data(mx.nd.array(rows))
    reestimate_batch_norm(net, [batch(pictures(32, 9))])
    rng = np.random.RandomState(1)
    for name, parameter in net.collect_params().items():
        if name.endswith("gamma"):
            signs = np.where(rng.rand(*parameter.shape) < 0.2, -1, 1)
            parameter.set_data(mx.nd.array(signs * rng.uniform(0.5, 1.5, parameter.shape)))
        elif name.endswith("beta") or name.endswith("bias"):
            parameter.set_data(mx.nd.random.normal(0, 0.3, parameter.shape))
    return net


def small_detector(classes=("a", "b", "c"), seed=0):
    """A detector of pictures of 64 pixels, its heads far from their start near zero."""
    mx.random.seed(seed)
    net = EtinyNetSSD(etinynet0_75, classes, size=64, sizes=(10, 15, 20, 40, 60))
    net.initialize()
    for parameter in [*net.class_predictors.collect_params().values(), *net.box_predictors.collect_params().values()]:
        parameter.set_data(mx.nd.random.normal(0, 0.1, parameter.shape))
    return net


def small_detector_pictures(count=2, size=64, seed=0):
    return mx.nd.array(np.random.RandomState(seed).randint(-128, 128, (count, 3, size, size)), dtype="float32")


def predictions(net, x):
    with mx.autograd.train_mode():
        return net(x)


def lowered(net, images, name="small"):
    """The integer network of a float one, or of one with quantised weights, by these pictures."""
    return lower(quantise(net, images), images.shape[2:], name)
