"""ONNX models, node by node, and their file; the package onnx is loaded when one is written."""

import numpy as np

from .. import __version__
from ..files import InputError, atomic_path
from ..integer import pack

__all__ = ["BATCH", "Model"]

BATCH = "N"  # the dimension that is left open
OPSET, IR_VERSION = 21, 10  # the first with weights of 4 bits; what goes with it


class Model:
    """A model that is being written: its one input is an image, float32, (N, channels, rows, columns).

    Parameters
    ----------
    name : str
    shape : (int, int, int)
        Of an image.

    Raises
    ------
    InputError
        If the package onnx is not installed.
    """

    def __init__(self, name, shape, image="image"):
        try:
            import onnx
        except ImportError as error:
            raise InputError("the package onnx is not installed: pip install 'gluon_etinynet[onnx]'") from error
        self.onnx, self.name, self.image = onnx, name, image
        self.nodes, self.constants, self.outputs = [], [], []
        self.input = onnx.helper.make_tensor_value_info(image, onnx.TensorProto.FLOAT, [BATCH, *shape])

    def add(self, operator, inputs, output, **attributes):
        """Append a node; returns the name of its output."""
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name, values):
        """Keep an array of NumPy as it is; returns its name."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def nibbles(self, name, values):
        """Keep integers of 4 bits, two a byte; returns their name."""
        tensor = self.onnx.TensorProto(name=name, data_type=self.onnx.TensorProto.INT4, dims=values.shape)
        tensor.raw_data = pack(values.reshape(1, -1), 4).tobytes()
        self.constants.append(tensor)
        return name

    def give(self, name, shape):
        """Make a tensor an output; `shape` is without the batch."""
        self.outputs.append(self.onnx.helper.make_tensor_value_info(name, self.onnx.TensorProto.FLOAT, [BATCH, *shape]))

    def save(self, path, labels=None, **about):
        """Check the model, shapes included, and write it; `labels` and what it is `about` go into its metadata."""
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, self.name, [self.input], self.outputs, self.constants)
        model = helper.make_model(graph, producer_name="gluon_etinynet", producer_version=__version__,
                                  opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        helper.set_model_props(model, {**about, **({"labels": "\n".join(labels)} if labels else {})})
        self.onnx.checker.check_model(model, full_check=True)
        with atomic_path(path) as temporary:
            temporary.write_bytes(model.SerializeToString())
