"""Checkpoints of a training: written whole or not at all, checked before they are read, no pickle.

A checkpoint is a folder ``epoch-0012`` made after epoch 12 (counted from 0):

* ``net.params``: the network, running statistics of BN included; `load_parameters` reads it;
* ``optimizer.npz``: momenta and float32 master weights, named after the parameters;
* ``checkpoint.json``: epoch, settings, arguments, metrics so far, and the SHA-256 of the other two.

It is written under another name and renamed when all of it is on the disk. MXNet's own
``Trainer.save_states`` is a pickle, which can run code when it is loaded: it is not used.
"""

import json
import shutil
from pathlib import Path

from .._mxnet import mx
from ..files import InputError, atomic_folder, npz_bytes, sha256
from ..networks.parameters import save_net
from ..networks.params_file import read_params
from ..npz import read_npz
from ..reading import is_folder, list_folder, parsing, read_json

__all__ = ["save_checkpoint", "newest_checkpoint", "check_fits", "restore", "architecture"]

KEPT = 2
NET, OPTIMIZER, RECORD = "net.params", "optimizer.npz", "checkpoint.json"


def architecture(net):
    """Return {parameter name: shape as a list}, by structure and not by MXNet's running numbers."""
    return {name: list(parameter.shape) for name, parameter in net._collect_params_with_prefix().items()}


def save_checkpoint(save_dir, net, trainer, names, record):
    """Write the checkpoint of epoch ``record["epoch"]`` and remove all but it and the one before.

    Parameters
    ----------
    save_dir : str or Path
    net : HybridBlock
    trainer : mxnet.gluon.Trainer
        With ``update_on_kvstore=False``: the optimizer's state is in this process.
    names : list of str
        Structural names of the trainer's parameters, in its order.
    record : dict
        Goes into ``checkpoint.json``: "epoch", "settings", "history" and whatever else is given.

    Raises
    ------
    InputError
        If the folder cannot be written or the disk is full; earlier checkpoints stay as they are.
    """
    path = Path(save_dir) / f"epoch-{record['epoch']:04d}"
    earlier = [str(folder) for folder in _folders(save_dir) if folder != path]
    try:
        # Where there is one already, it is a damaged one that the resumed training has come to again.
        with atomic_folder(path) as folder:
            save_net(net, folder / NET)
            (folder / OPTIMIZER).write_bytes(npz_bytes(_optimizer_arrays(trainer, names)))
            record = dict(record, architecture=architecture(net),
                          files={name: sha256(folder / name) for name in (NET, OPTIMIZER)})
            (folder / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    except InputError as error:
        raise InputError(f"{error}; then resume from the last checkpoint "
                         f"({earlier[0] if earlier else 'there is none yet'})") from error
    # Newer ones are damaged, or the training would not have come to this one again.
    found = _folders(save_dir)
    for folder in found[:found.index(path)] + found[found.index(path) + KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def _folders(save_dir):
    """The checkpoints of `save_dir`, newest first."""
    found = list_folder(save_dir) if is_folder(save_dir) else []
    return sorted((path for path in found if path.name[:6] == "epoch-" and path.name[6:].isdecimal()),
                  key=lambda path: int(path.name[6:]), reverse=True)


def newest_checkpoint(save_dir, log=print):
    """Find the newest checkpoint that is whole.

    Parameters
    ----------
    save_dir : str or Path
    log : callable
        Gets one line for every damaged checkpoint that is passed over.

    Returns
    -------
    (Path, dict) or None
        The folder and its ``checkpoint.json``.
    """
    for folder in _folders(save_dir):
        try:
            record = read_json(folder / RECORD, "remove that checkpoint", epoch=int, settings=dict, history=list,
                               architecture=dict, files=dict)
            changed = [name for name in (NET, OPTIMIZER) if sha256(folder / name) != record["files"].get(name)]
            if not all(isinstance(row, dict) for row in record["history"]):
                changed = [RECORD]
            if not changed:
                return folder, record
            problem = f"{changed[0]} is not the file that was written"
        except InputError as error:
            problem = str(error)
        log(f"passing over the damaged checkpoint {folder} ({problem})")
    return None


def check_fits(folder, record, net, settings):
    """Raise InputError unless the checkpoint is of this network and of these settings.

    A training that goes on with other settings is another training: the schedule, the order of the
    samples and the momenta would not belong together.
    """
    there, here = record["architecture"], architecture(net)
    for name in list(here) + [name for name in there if name not in here]:
        if here.get(name) != there.get(name):
            raise InputError(f"checkpoint {folder} is of another architecture: {name} has shape {_shape(there, name)} "
                             f"there and {_shape(here, name)} here; give the same network, or another save_dir")
    for name, value in settings.items():
        before = record["settings"].get(name, value)  # an older version knew fewer
        if before != value:
            raise InputError(f"checkpoint {folder} was trained with {name}={before} and not {value}; give the same "
                             "value, or another save_dir")


def _shape(shapes, name):
    shape = shapes.get(name, "none")
    return tuple(shape) if isinstance(shape, list) else shape


def restore(folder, net, trainer, names):
    """Set the network and the optimizer's state from a checkpoint that fits."""
    arrays = read_params(folder / NET)
    states = read_npz(folder / OPTIMIZER, "remove that checkpoint")
    with parsing(folder, "remove that checkpoint"):
        _restore(arrays, states, net, trainer, names)


def _restore(arrays, states, net, trainer, names):
    for name, parameter in net._collect_params_with_prefix().items():
        parameter.set_data(mx.nd.array(arrays[name], dtype=arrays[name].dtype))
    for device, updater in enumerate(trainer._updaters):
        for index, (name, parameter) in enumerate(zip(names, trainer._params)):
            weight = parameter.list_data()[device]
            state = updater.optimizer.create_state_multi_precision(index, weight)
            for position, array in _flat(state):
                array[:] = states[f"{name}:{position}"]
            updater.states[index], updater.states_synced[index] = state, True


def _optimizer_arrays(trainer, names):
    states = trainer._updaters[0].states
    return {f"{name}:{position}": array.asnumpy() for index, name in enumerate(names) if index in states
            for position, array in _flat(states[index])}


def _flat(state):
    """The arrays of a state, which is None, an array, or a tuple of such, with their positions."""
    parts = state if isinstance(state, (tuple, list)) else (state,)
    return [(position, array) for position, array in enumerate(parts) if array is not None]
