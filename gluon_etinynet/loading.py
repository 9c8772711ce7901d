"""Any checkpoint, loaded as what it is: float or quantised, a classifier or a detector."""

from collections import namedtuple

from .data.datasets import labels_of
from .detection.ssd import VOC_CLASSES
from .files import InputError
from .model_zoo import detector_names, get_model, released_checkpoint
from .networks.parameters import contents_of, load_parameters, read_checkpoint
from .quantize.qat import prepare_for

__all__ = ["load_checkpoint", "Checkpoint"]

Checkpoint = namedtuple("Checkpoint", "net contents path labels")
Checkpoint.__doc__ = ("The network, what the checkpoint is of (networks.parameters.Contents), where it lies, and the "
                      "names of its classes, or None.")


def load_checkpoint(model="etinynet1.0", params=None, ctx=None):
    """Load a checkpoint as what it is.

    Parameters
    ----------
    model : str
        A name that `get_model` knows.
    params : str or Path, optional
        The released one by default, and where it is "released".
    ctx : Context or list of Context
        Where the parameters go; the CPU by default.

    Returns
    -------
    Checkpoint

    Raises
    ------
    InputError
        If the file does not serve, or is of another network.
    """
    path = released_checkpoint(model) if params in (None, "released") else params
    arrays = read_checkpoint(path)
    contents = contents_of(arrays, path)
    if contents.detector != (model.lower() in detector_names()):
        kind = "a detector's" if contents.detector else "no detector's"
        raise InputError(f"{path} is {kind} checkpoint, {model} is not; check the name of the model")
    labels = labels_of(path, contents.classes, VOC_CLASSES if contents.detector else None)
    names = labels or list(map(str, range(contents.classes)))
    net = get_model(model, classes=names if contents.detector else contents.classes)
    prepare_for(net, contents)
    load_parameters(net, path, ctx)
    return Checkpoint(net, contents, path, labels)
