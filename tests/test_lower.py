"""From the Gluon network to integers: agreement of the fake-quantised network with the interpreter, layer by layer."""

import numpy as np
import pytest

from gluon_etinynet._mxnet import mx
from gluon_etinynet.ablations import NonlinearLB
from gluon_etinynet.etinynet import DLB, LB, EtinyNet
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import Graph, run
from gluon_etinynet.lower import calibrate_and_lower, lower
from gluon_etinynet.model_zoo import get_model
from gluon_etinynet.qat import (calibrate, feature_map_quantisers, prepare_qat, quantised_convolutions,
                                reestimate_batch_norm)

SIZE = 33
WIDTHS = [(8, 8), (12, 12), (16, 16), (16, 24)]


def pictures(count=16, seed=0):
    """Blurred noise: neighbours resemble each other, as in photographs."""
    noise = np.random.RandomState(seed).normal(0, 1, (count, 3, SIZE + 4, SIZE + 4))
    for axis in (2, 3):
        noise = sum(np.roll(noise, shift, axis) for shift in range(5))
    return np.clip(noise[:, :, 4:, 4:] * 15, -128, 127).astype(np.int8)


def small_net(**kwargs):
    """Weights and BN as if trained: signs of gamma mixed, and one channel that hardly varies."""
    mx.random.seed(5)
    net = EtinyNet(8, WIDTHS, classes=5, **kwargs)
    net.initialize()
    reestimate_batch_norm(net, [mx.nd.array(pictures(32, 9), dtype="float32")])
    rng = np.random.RandomState(1)
    for name, parameter in net.collect_params().items():
        if name.endswith("gamma"):
            signs = np.where(rng.rand(*parameter.shape) < 0.2, -1, 1)
            parameter.set_data(mx.nd.array(signs * rng.uniform(0.5, 1.5, parameter.shape)))
        elif name.endswith("beta") or name.endswith("bias"):
            parameter.set_data(mx.nd.random.normal(0, 0.3, parameter.shape))
    return net


def make_nearly_dead(bn, channel=3):
    """Every value but the mean lands far outside the range of the others: the multiplier is clamped."""
    variance = bn.running_var.data().asnumpy()
    variance[channel] = 0
    bn.running_var.set_data(mx.nd.array(variance))
    bn._kwargs["eps"] = 1e-9


def with_integer_weights(net, graph):
    """Put the weights that the Graph holds into a float network."""
    layers = {name: p for name, p in net._collect_params_with_prefix().items() if len(p.shape) == 4}
    nodes = {node.output: node.attrs for node in graph.nodes if node.op == "conv2d"}
    for name, parameter in layers.items():
        label = name[:-len(".weight")]
        attrs = nodes[label if label in nodes else label[:-len(".dw2")]]
        scales = np.array(attrs["weight_quant"].scale)[:, None, None, None]
        parameter.set_data(mx.nd.array(attrs["weight"] * scales))
    net.hybridize(False)


def fake_quantised(net, images):
    """Logits of the Gluon network, and the integers in its feature maps by the Graph's names."""
    maps = {}

    def keep(name, quantiser):
        scale, zero_point = (p.data().asscalar() for p in (quantiser.scale, quantiser.zero_point))

        def hook(block, inputs, out):
            maps[name] = np.rint(out.asnumpy() / scale + zero_point).astype(int)
        return quantiser.register_forward_hook(hook)

    names = {"bn1": "dw1", "bn2": "pw", "middle_quantiser": "pw"}
    hooks = []
    for path, quantiser in feature_map_quantisers(net).items():
        block, _, last = path.rpartition(".")
        if last == "quantiser":
            block, _, last = block.rpartition(".") if block.endswith(("bn1", "bn2", "bn3")) else (block, "", "")
        name = f"{block}.{names[last]}" if last in names else block
        hooks.append(keep({"features.0.pool": "features.0"}.get(name, name), quantiser))
    logits = net(mx.nd.array(images, dtype="float32")).asnumpy()
    for hook in hooks:
        hook.detach()
    return logits, maps


def assert_agreement(net, graph, images, unequal=0.005):
    """Each layer given what the interpreter's has: at most `unequal` of a map differs, and by one step."""
    logits, trace = run(graph, images, trace=True)
    expected, maps = fake_quantised(net, images)
    stored = [name for name in graph.tensors if name not in (graph.image.name, "features.0.conv", "output")]
    assert set(maps) == set(stored)
    shares = {}
    for name in stored:
        distance = np.abs(trace[name].astype(int) - maps[name])
        shares[name] = np.mean(distance > 0)
    return logits * graph.output.quant.scale, expected, shares


def test_float_network_by_channels():
    net = small_net()
    images = pictures()
    graph = calibrate_and_lower(net, pictures(32, 9), "small")
    with_integer_weights(net, graph)
    print(assert_agreement(net, graph, images))


def test_asq():
    for bits in (4, 2, 8):
        net = prepare_qat(small_net(), "asq", bits)
        images = pictures()
        graph = calibrate_and_lower(net, pictures(32, 9), "small")
        print(assert_agreement(net, graph, images))
