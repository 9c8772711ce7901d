"""Changes of structure leave the integer networks as they were: three Graphs, told by their SHA-256.

A Graph's scales are float64 numbers that depend on the last bits of the processor's and the libraries'
arithmetic. `graphs.json` therefore holds the digest of that arithmetic too: where it is the same, the Graphs must
be the same to the bit; elsewhere every layer's weights must agree to 1 % and every scale to 10 %: scales are those of
least error, and in a random network the last bits move the least error that far.
``python tests/lowering/test_same_graph.py`` writes the file anew, after a change of the arithmetic on purpose.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when MXNet is loaded

import numpy as np
import pytest

from gluon_etinynet._mxnet import mx
from gluon_etinynet.lowering.network import lower
from gluon_etinynet.model_zoo import get_model
from gluon_etinynet.networks.batch_norm import reestimate_batch_norm
from gluon_etinynet.quantize.ptq import quantise
from gluon_etinynet.quantize.qat import prepare_qat

RECORDED = Path(__file__).with_name("graphs.json")
NETWORKS = {  # name of the network, its options, side of its pictures, scheme and bits of its weights
    "1.0, int8": ("etinynet1.0", {"classes": 10}, 32, None),
    "0.75, 4 bits": ("etinynet0.75", {"classes": 10}, 32, ("asq", 4)),
    "detector, int8": ("ssd_256_etinynet1.0_voc", {"classes": ("a", "b"), "size": 96}, 96, None),
}


def pictures(count, size, seed):
    """Blurred noise, int8: neighbours resemble each other, as in photographs."""
    noise = np.random.RandomState(seed).normal(0, 1, (count, 3, size, size))
    for axis in (2, 3):
        noise = sum(np.roll(noise, shift, axis) for shift in range(5))
    return np.clip(noise * 15, -128, 127).astype(np.int8)


def graph_of(key):
    name, options, size, scheme = NETWORKS[key]
    mx.random.seed(3)
    net = get_model(name, **options)
    net.initialize()
    reestimate_batch_norm(net, [mx.nd.array(pictures(4, size, 1), dtype="float32")])
    if scheme:
        prepare_qat(net, *scheme)
    return lower(quantise(net, pictures(4, size, 2)), (size, size), key)


def arithmetic():
    """Digest of what this machine makes of MXNet's convolutions and of NumPy's linear algebra."""
    random = np.random.RandomState(0)
    x, weight = (random.normal(size=shape).astype(np.float32) for shape in ((2, 32, 20, 20), (64, 32, 1, 1)))
    depthwise = random.normal(size=(32, 1, 3, 3)).astype(np.float32)
    maps = [mx.nd.Convolution(mx.nd.array(x), mx.nd.array(kernel), no_bias=True, num_filter=len(kernel),
                              kernel=kernel.shape[2:], num_group=groups).asnumpy()
            for kernel, groups in ((weight, 1), (depthwise, 32))]
    moments = np.matmul(x[0].reshape(32, -1), x[0].reshape(32, -1).T).astype(np.float64)
    digest = hashlib.sha256()
    for array in [*maps, moments, np.linalg.inv(moments), np.linalg.cholesky(moments), np.exp(x), np.log(np.abs(x))]:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def summary(graph):
    """What a Graph is where the last bits differ: scales, and the sums of the magnitudes of its weights."""
    return {"scales": {name: tensor.quant.scale for name, tensor in graph.tensors.items()},
            "weights": {node.output: int(np.abs(node.attrs["weight"].astype(int)).sum())
                        for node in graph.nodes if node.op == "conv2d"}}


def write():
    graphs = {key: graph_of(key) for key in NETWORKS}
    recorded = {"arithmetic": arithmetic(),
                "graphs": {key: {"sha256": graph.sha256(), **summary(graph)} for key, graph in graphs.items()}}
    RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


@pytest.mark.parametrize("key", NETWORKS)
def test_the_graph_is_the_recorded_one(key):
    recorded = json.loads(RECORDED.read_text())
    graph, expected = graph_of(key), recorded["graphs"][key]
    for what, tolerance in (("scales", 0.1), ("weights", 0.01)):
        found = summary(graph)[what]
        assert list(sorted(found)) == list(sorted(expected[what]))
        for name, value in found.items():
            assert value == pytest.approx(expected[what][name], rel=tolerance), f"{what} of {name}"
    if arithmetic() == recorded["arithmetic"]:
        assert graph.sha256() == expected["sha256"]


if __name__ == "__main__":
    sys.exit(write())
