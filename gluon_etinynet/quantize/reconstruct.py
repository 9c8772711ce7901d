"""A quantised network from a few unlabelled photographs, block by block.

The paper trains its 4-bit networks for 40 epochs on ImageNet. Where there are only some hundreds or
thousands of pictures and no labels, the float network is the teacher: each block of the quantised network
is fitted in turn to what the float network's block puts out. docs/fidelity.md tells what was tried beside it.
"""

import math
import zlib
from pathlib import Path

import numpy as np

from .._mxnet import mx
from ..cli import progress
from ..files import InputError, atomic_path, write_json
from ..networks.batch_norm import reestimate_batch_norm
from ..networks.blocks import all_blocks
from ..networks.parameters import save_arrays
from ..networks.params_file import read_params
from ..reading import is_file, parsing, read_record
from .qat import quantised_convolutions

__all__ = ["reconstruct", "check_count", "check_parts"]

UNDAMPED = 0.25  # part of the steps in which weights move freely between levels
# Of a BN's variance so much is left at least. A channel that fires seldom in the float network may do so even less in
# these images once its weights are rounded: divided by a variance of next to 0, the picture that wakes it up would
# drown all others. Rounding to 4 bits leaves 99.9 % of EtinyNet-1.0's channels more than this. A channel that never
# fired where the float network was trained, with a variance below BN's epsilon, has no scale at all: it puts out beta.
SILENT = 0.1


def check_parts(net):
    """Refuse a network that does not tell what it is made of, as EtinyNets and EtinyNet-SSDs do."""
    if not hasattr(net, "parts"):
        raise InputError(f"{type(net).__name__} is not reconstructed block by block: EtinyNet and EtinyNet-SSD are")


def reconstruct(float_net, net, images, steps=1000, batch_size=32, lr=0.02, lambda_lr=1.0, damping=0.3,
                seed=0, state_dir=None, report=print):
    """Fit a quantised network to its float original, block by block.

    Each part gets what the quantised parts before it put out, and is trained with Adam (cosine
    schedule) so that its output approaches the float network's at the same place: weights, lambda,
    `scale`, and gamma and beta of BN. The loss is the mean squared difference over the variance of
    the target. When a part is done, its BN statistics are re-estimated over all images.

    Straight-through gradients drive a weight whose best value lies between two levels to the very boundary
    between them: without more ado half of the depthwise weights end within a hundredth of a step of it, their
    rounding left to chance. So in the last three quarters of the steps the distance of the weights from their
    levels (J, equation 7) joins the loss, with a factor that grows to `damping` (Nagel et al. 2022, "Overcoming
    oscillations in quantization-aware training").

    Parameters
    ----------
    float_net, net : EtinyNet or EtinyNetSSD
        The original, and the same network prepared by `prepare_qat` with its weights. Feature maps are
        best calibrated afterwards.
    images : numpy.ndarray of int8
        ``pixel - 128``, RGB, (N, 3, H, W); `augment.views` makes them. BN keeps their statistics: those of other
        pictures, or of another size, undo part of the fit. Three feature maps of every image are held in memory
        as float16: 4.6 GB with 10,000 images of 160 pixels.
    steps : int
        Updates of each part.
    lr : float
        Learning rate of Adam at the start, relative: an update moves a parameter by about this part of its
        root mean square over the layer. Weights differ from layer to layer by a factor of ten, and no
        absolute rate suits them all.
    lambda_lr : float
        The learning rate of lambda and `scale` as a multiple of `lr`.
    damping : float
        Weight of the mean squared distance from the levels, in steps, summed over the part's layers.
    seed : int
        Of the order of the images.
    state_dir : str or Path, optional
        Where the network is kept after each part; a run that was interrupted goes on from there, given `net` as
        it was at first, and ends with the same network.
    report : callable
        Called with a line of text for each part.

    Returns
    -------
    dict of str to (float, float)
        For each part the loss of its first and of its last tenth of steps.

    Raises
    ------
    InputError
        If `net` is of another kind, there are fewer images than `batch_size`, `state_dir` holds a run with another
        network, other images or settings, or what a part puts out is no number or more than float16 holds.
    """
    check_parts(net)
    check_count(images, batch_size)
    settings = {"steps": steps, "batch_size": batch_size, "lr": lr, "lambda_lr": lambda_lr, "damping": damping,
                "seed": seed}
    state = _State(state_dir, net, images, settings)
    losses = state.content["losses"]
    float_maps = maps = images
    for number, ((name, teacher, feeds), (_, student, _)) in enumerate(zip(float_net.parts(), net.parts())):
        targets = _outputs(teacher, float_maps, batch_size, f"the float network's {name}")
        if number >= state.content["done"]:
            rng = np.random.RandomState([seed, number])
            variances = [bn.running_var.data().asnumpy() for bn in _batch_norms(student)]
            losses[name] = _learn(student, maps, targets, steps, batch_size, lr, lambda_lr, damping, rng, name)
            reestimate_batch_norm(student, _batches(maps, batch_size))
            for bn, before, original in zip(_batch_norms(student), variances, _batch_norms(teacher)):
                bn.running_var.set_data(mx.nd.maximum(bn.running_var.data(), mx.nd.array(SILENT * before)))
                alive = original.running_var.data() >= original._kwargs["eps"]
                bn.gamma.set_data(bn.gamma.data() * alive)
            state.save(number + 1)
            report(f"{name}: loss {losses[name][0]:.4f} -> {losses[name][1]:.4f}")
        if feeds:
            float_maps = targets  # first: three maps of every image are held, never four
            maps = _outputs(student, maps, batch_size, name)
    return {name: tuple(pair) for name, pair in losses.items()}


def _batch_norms(part):
    return [block for block in all_blocks(part) if isinstance(block, mx.gluon.nn.BatchNorm)]


def _learn(part, inputs, targets, steps, batch_size, lr, lambda_lr, damping, rng, name):
    trainer = _trainer(part, lr, lambda_lr)
    part.hybridize(static_alloc=True, static_shape=True)
    variance = float(np.var(targets[:256], dtype=np.float64)) + 1e-12
    convolutions = list(quantised_convolutions(part).values())
    losses = []
    for step in progress(range(steps), desc=name):
        trainer.set_learning_rate(_cosine(lr, step, steps))
        picked = rng.choice(len(inputs), batch_size, replace=False)
        x, target = _to_mxnet(inputs[picked]), _to_mxnet(targets[picked])
        with mx.autograd.record():
            loss = mx.nd.mean(mx.nd.square(part(x) - target)) / variance
            factor = damping * max(0, (step / steps - UNDAMPED) / (1 - UNDAMPED))
            total = loss + sum(factor * conv.rounding_error() for conv in convolutions) if factor else loss
        total.backward()
        trainer.step(1)
        losses.append(float(loss.asscalar()))
    tenth = max(steps // 10, 1)
    # A ReLU makes 0 of NaN, and the loss looks well.
    learnt = (parameter.data().asnumpy() for parameter in part.collect_params().values())
    if steps and not (np.isfinite(losses[-1]) and all(np.isfinite(array).all() for array in learnt)):
        raise InputError(f"reconstruction diverged in {name}; choose a lower learning rate than {lr}")
    return [float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:]))] if steps else [0.0, 0.0]


def check_count(images, batch_size):
    """Refuse fewer pictures than a batch has."""
    if len(images) < batch_size:
        raise InputError(f"{len(images)} images are fewer than one batch of {batch_size}; give more images or "
                         "a smaller batch")


def _trainer(block, lr, lambda_lr):
    """Adam, whose updates do not know how large a parameter is, with rates relative to that."""
    trained = {name: p for name, p in block.collect_params().items() if p.grad_req != "null"}
    for name, parameter in trained.items():
        # beta is a shift of what gamma scales, and may well be 0.
        measure = trained[name[:-len("beta")] + "gamma"] if name.endswith("_beta") else parameter
        size = float(mx.nd.sqrt(mx.nd.mean(mx.nd.square(measure.data()))).asscalar())
        parameter.lr_mult = (size or 1.0) * (lambda_lr if name.endswith(("_lam", "_scale")) else 1)
    return mx.gluon.Trainer(list(trained.values()), "adam", {"learning_rate": lr}, kvstore=None)


def _cosine(lr, step, steps):
    return lr * 0.5 * (1 + math.cos(math.pi * step / steps))


def _to_mxnet(array):
    return mx.nd.array(array, dtype="float32")


def _batches(maps, batch_size):
    return (_to_mxnet(maps[start:start + batch_size]) for start in range(0, len(maps), batch_size))


def _outputs(part, inputs, batch_size, name):
    """What a part puts out for all inputs, as float16: rounding 50 times finer than 4 bits'."""
    part.hybridize()
    outputs = None
    for start, batch in zip(range(0, len(inputs), batch_size), _batches(inputs, batch_size)):
        made = part(batch).asnumpy()
        if outputs is None:
            outputs = np.empty((len(inputs), *made.shape[1:]), np.float16)
        outputs[start:start + len(made)] = made
        if not np.isfinite(outputs[start:start + len(made)]).all():
            raise InputError(f"what {name} puts out is no number, or more than float16 holds: look at these "
                             "photographs and at the training of the float network")
    return outputs


class _State:
    """The network after each finished part of a run, so that the run can be taken up again.

    ``reconstruct.json`` says how many parts are done and is written last; the arrays lie in a file that has the
    number in its name.
    """

    def __init__(self, folder, net, images, settings):
        self.net = net
        self.folder = Path(folder) if folder is not None else None
        network = 0
        for parameter in net._collect_params_with_prefix().values():
            network = zlib.crc32(parameter.data().asnumpy(), network)
        settings = dict(settings, images=list(images.shape), checksum=zlib.crc32(np.ascontiguousarray(images)),
                        network=network)
        self.content = {"settings": settings, "done": 0, "losses": {}}
        found = read_record(self._index(), settings, done=int, losses=dict) if self.folder is not None else None
        if found is None:
            return
        self.content = found
        path = self._arrays(found["done"])
        read_params(path)  # refuses a damaged file in one line
        with parsing(path, "delete its folder to begin again"):
            net.load_parameters(str(path))

    def save(self, done):
        self.content["done"] = done
        if self.folder is None:
            return
        parameters = self.net._collect_params_with_prefix()
        with atomic_path(self._arrays(done)) as temporary:
            save_arrays(temporary, {name: parameter.data() for name, parameter in parameters.items()})
        write_json(self._index(), self.content)
        if is_file(self._arrays(done - 1)):
            self._arrays(done - 1).unlink()

    def _index(self):
        return self.folder / "reconstruct.json"

    def _arrays(self, done):
        return self.folder / f"reconstruct-{done:02}.params"
