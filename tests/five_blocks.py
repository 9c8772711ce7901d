"""A network of five blocks that several tests quantise, pictures for it, and how far it is from another."""

import numpy as np

from gluon_etinynet._mxnet import mx
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.networks.etinynet import EtinyNet


def small_net(factor=1):
    """A whole EtinyNet of 5 blocks with weights and BN as if trained: nothing at its initial value."""
    mx.random.seed(3)
    net = EtinyNet(8, [(8,), (12,), (12, 12), (16,)], classes=10)
    net.initialize()
    for name, parameter in net.collect_params().items():
        if name.endswith("weight"):
            parameter.set_data(parameter.data() * factor)
        elif name.endswith(("gamma", "running_var")):
            parameter.set_data(mx.nd.random.uniform(0.5, 1.5, parameter.shape))
        elif name.endswith(("beta", "running_mean", "bias")):
            parameter.set_data(mx.nd.random.normal(0, 0.3, parameter.shape))
    reestimate_batch_norm(net, [images(64)])
    return net


def images(count=16, seed=0):
    return mx.nd.array(np.random.RandomState(seed).randint(-128, 128, (count, 3, 48, 48)))


def copy_of(net):
    """Another object with the same parameters."""
    other = small_net()
    ours = other._collect_params_with_prefix()
    for name, parameter in net._collect_params_with_prefix().items():
        ours[name].set_data(parameter.data())
    return other


def difference(net, reference, x):
    """Root mean square difference of logits, over their standard deviation."""
    a, b = net(x).asnumpy(), reference(x).asnumpy()
    return np.sqrt(np.mean((a - b) ** 2)) / b.std()
