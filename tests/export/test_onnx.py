"""ONNX of float networks against MXNet, and of integer networks against the interpreter, by onnxruntime."""

import functools
import warnings

import numpy as np
import pytest
from c_export import etinynet_graph, images, ssd_graph, varied_graph
from running import assert_one_line, run
from small_networks import SIZE, batch, pictures, small_detector, small_net

from gluon_etinynet import get_model
from gluon_etinynet._mxnet import mx
from gluon_etinynet.export import onnx_graph
from gluon_etinynet.files import InputError
from gluon_etinynet.integer import trace
from gluon_etinynet.lowering import onnx_network
from gluon_etinynet.networks.etinynet import ClippedBatchNorm, EtinyNet
from gluon_etinynet.quantize.ptq import quantise

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def computed(path, inputs):
    """What onnxruntime computes of a model: {output: array}, and the model, shapes inferred."""
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)), check_type=True, strict_mode=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: inputs.astype(np.float32)})
    return dict(zip((output.name for output in session.get_outputs()), outputs)), model


def test_a_float_classifier_computes_what_mxnet_does(tmp_path):
    net, inputs = small_net(), pictures(3)
    onnx_network.save(net, tmp_path / "net.onnx", SIZE, labels=list("abcde"))
    expected = net(batch(inputs)).asnumpy()
    found, model = computed(tmp_path / "net.onnx", inputs)
    assert list(found) == ["output"] and found["output"].shape == expected.shape
    assert np.abs(found["output"] - expected).max() < 1e-3 < np.ptp(expected)
    assert {prop.key: prop.value for prop in model.metadata_props}["labels"].split("\n") == list("abcde")
    assert np.array_equal(computed(tmp_path / "net.onnx", inputs[:1])[0]["output"].argmax(), expected[0].argmax())


def test_a_float_detector_gives_its_raw_predictions(tmp_path):
    net, size = small_detector(), 64
    inputs = np.random.RandomState(0).randint(-128, 128, (2, 3, size, size))
    onnx_network.save(net, tmp_path / "net.onnx", size)
    with mx.autograd.train_mode():
        net.apply(lambda block: block._kwargs.update(use_global_stats=True)
                  if isinstance(block, mx.gluon.nn.BatchNorm) else None)
        classes, boxes, _ = (array.asnumpy() for array in net(batch(inputs)))
    found, _ = computed(tmp_path / "net.onnx", inputs)
    for kind, expected in (("class_predictors", classes), ("box_predictors", boxes)):
        maps = [found[f"{kind}.{level}"].transpose(0, 2, 3, 1).reshape(2, -1, expected.shape[2])
                for level in range(len(net.taps))]
        assert np.abs(np.concatenate(maps, axis=1) - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.slow
def test_the_released_network_on_photographs(tmp_path, weights_dir, data_dir):
    from gluon_etinynet.data.images import pictures_below, read_inputs

    (params,) = weights_dir.glob("0.6553*.params")
    done = run("tools/export_onnx.py", "--params", params, "--out", tmp_path / "net.onnx")
    assert done.returncode == 0, done.stderr
    inputs = read_inputs(pictures_below(data_dir / "imagenet-val430")[:4], 224)
    expected = get_model("etinynet1.0", pretrained=params)(batch(inputs)).asnumpy()
    assert np.abs(computed(tmp_path / "net.onnx", inputs)[0]["output"] - expected).max() < 1e-3


@pytest.mark.parametrize("graph", [etinynet_graph("tiny", 32, 8, 10), etinynet_graph("tiny", 33, 4, 7, seed=1),
                                   varied_graph(5), varied_graph(8)], ids=["int8", "int4", "varied", "other"])
def test_an_integer_network_differs_by_roundings_alone(graph, tmp_path):
    """Each layer's own arithmetic: its inputs are those of the interpreter, its outputs differ by a step, rarely."""
    graph.save(tmp_path / "net.npz")
    assert run("tools/export_onnx.py", "--graph", tmp_path / "net.npz", "--out", tmp_path / "net.onnx").returncode == 0
    inputs, model = images(graph, 2), onnx.load(str(tmp_path / "net.onnx"))
    exact, differing, count = trace(graph, inputs), 0, 0
    fed = {f"{name}.rounded": graph.tensors[name].quant for name in graph.tensors if name not in graph.outputs}
    for node in graph.nodes:
        layer = alone(model, [f"{name}.rounded" for name in node.inputs], node.output, set(fed), graph)
        session = onnxruntime.InferenceSession(layer.SerializeToString(), providers=["CPUExecutionProvider"])
        real = {f"{name}.rounded": real_values(exact[name], graph.tensors[name].quant) for name in node.inputs}
        (found,) = session.run(None, real)
        quant = graph.tensors[node.output].quant
        steps = np.abs(found.reshape(exact[node.output].shape) - real_values(exact[node.output], quant)) / quant.scale
        if quant.bits == 8:
            assert steps.max() < 1.01
            differing, count = differing + np.sum(steps > 0.5), count + steps.size
        else:
            assert steps.max() < 2 + 1e-6 * np.abs(exact[node.output]).max()
    assert differing < 0.01 * count


def real_values(integers, quant):
    return ((integers.astype(np.float64) - quant.zero_point) * quant.scale).astype(np.float32)


def alone(model, inputs, output, stops, graph):
    """A layer of a model as a model of its own."""
    name = output if output in graph.outputs else f"{output}.rounded"
    made, wanted, nodes = {node.output[0]: node for node in model.graph.node}, [name], []
    while wanted:
        node = made.get(wanted.pop())
        if node is not None and node not in nodes:
            nodes.insert(0, node)
            wanted += [each for each in node.input if each not in inputs]
    nodes = [node for node in model.graph.node if node in nodes]
    info = onnx.helper.make_tensor_value_info
    float32 = onnx.TensorProto.FLOAT
    used = {each for node in nodes for each in node.input}
    body = onnx.helper.make_graph(nodes, "layer", [info(each, float32, None) for each in dict.fromkeys(inputs)],
                                  [info(name, float32, None)],
                                  [tensor for tensor in model.graph.initializer if tensor.name in used])
    return onnx.helper.make_model(body, opset_imports=model.opset_import, ir_version=model.ir_version)


def test_weights_of_4_bits_are_stored_as_such(tmp_path):
    graph = etinynet_graph("tiny", 32, 4, 3)
    onnx_graph.save(graph, tmp_path / "net.onnx")
    tensors = {tensor.name: tensor for tensor in onnx.load(str(tmp_path / "net.onnx")).graph.initializer}
    for node in (node for node in graph.nodes if node.op == "conv2d"):
        tensor, weight = tensors[f"{node.output}.weight"], node.attrs["weight"]
        assert tensor.data_type == onnx.TensorProto.INT4 and len(tensor.raw_data) == -(-weight.size // 2)
        assert np.array_equal(onnx.numpy_helper.to_array(tensor).astype(np.int8), weight)


def test_an_integer_detector_gives_its_maps(tmp_path):
    graph = ssd_graph("tiny", 64, 8, 3)
    onnx_graph.save(graph, tmp_path / "net.onnx")
    inputs = images(graph, 2)
    found, exact = computed(tmp_path / "net.onnx", inputs)[0], trace(graph, inputs)
    assert list(found) == graph.outputs
    for name, values in found.items():
        real = real_values(exact[name], graph.tensors[name].quant)
        assert values.shape == real.shape and np.corrcoef(values.ravel(), real.ravel())[0, 1] > 0.99


def test_what_is_refused(tmp_path, monkeypatch):
    clipped = EtinyNet(8, [(8, 8)] * 4, classes=3, norm=functools.partial(ClippedBatchNorm, 12))
    clipped.initialize()
    with pytest.raises(InputError, match="clip"):
        onnx_network.save(clipped, tmp_path / "net.onnx", SIZE)
    with pytest.raises(InputError, match="quantised"), warnings.catch_warnings():
        onnx_network.save(quantise(small_net(), pictures(4)), tmp_path / "net.onnx", SIZE)
    assert_one_line(run("tools/export_onnx.py", "--graph", "x", "--model", "y", "--out", tmp_path / "z"), "leave")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(InputError, match="gluon_etinynet\\[onnx\\]"):
        onnx_graph.save(etinynet_graph("tiny", 32, 8, 3), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
