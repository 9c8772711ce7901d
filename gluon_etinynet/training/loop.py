"""The one training loop: float training, quantisation-aware training, distillation, ablations, detectors.

The defaults of `Config` are the paper's "Training details": SGD with momentum 0.9, weight decay 1e-4,
a cosine from learning rate 0.1, 300 epochs, cross-entropy, no mixup and no label smoothing.

An epoch depends on the seed and its own number alone, and a checkpoint follows each: a training that
was killed and resumed ends, on the same machine, with the same bits as one that ran through.
"""

import contextlib
import dataclasses
import functools
import math
import time
from pathlib import Path
from typing import Callable

import numpy as np

from .._mxnet import mx
from ..cli import progress
from ..data.sources import seed_of
from ..files import InputError, atomic_path, sole_writer
from ..networks.batch_norm import freeze, hold_statistics
from ..networks.blocks import all_blocks
from ..networks.parameters import save_net
from ..quantities import EPOCHS, MOMENTUM, PARTS, PERIOD, POSITIVE_RATE, RATE, SEED, SHARE
from .checkpoint import architecture, check_fits, newest_checkpoint, restore, save_checkpoint
from .curves import draw_curves, tensorboard_log, write_metrics
from .distributed import ALONE
from .evaluation import LAG, Accuracy, cross_entropy, evaluate, shares

__all__ = ["Config", "Task", "train", "learning_rate", "contexts", "LR_MODES"]

REDRAWN = 10  # seconds after which the picture is drawn again: drawing takes longer than a small epoch
# Arrays that MXNet's multi_all_finite takes at once: the process aborts with more than 200.
FINITE_CHUNK = 200
LR_MODES = ("cosine", "linear", "constant")


@dataclasses.dataclass(frozen=True)
class Config:
    """What a training is, apart from network and data; a resumed one must have the same.

    Attributes
    ----------
    epochs : int
    lr : float
        Learning rate after the warm-up, for the whole (global) batch.
    lr_mode : {"cosine", "linear", "constant"}
        How it goes to zero, batch by batch, or that it stays.
    warmup_epochs : float
        Epochs in which it first rises linearly from zero.
    momentum, wd : float
        Momentum and weight decay.
    no_wd : bool
        No weight decay on biases, gamma and beta.
    features_lr_mult : float
        For fine-tuning: `net.features` learns at this part of the learning rate, and keeps the
        statistics of its BN, unless it is 1.
    heads_lr_mult : float
        All but `net.features` learns at this part of the learning rate.
    frozen : int
        For fine-tuning: so many parts of `net.features`, the stem first and then stages, stay as they are.
    optimizer : {"sgd", "nag"}
    dtype : {"float32", "float16"}
        float16 keeps float32 master weights in the optimizer.
    mode : {"hybrid", "imperative"}
    seed : int
        Of the initial weights and of whatever the network draws; the sources have their own.
    """

    epochs: int = 300
    lr: float = 0.1
    lr_mode: str = "cosine"
    warmup_epochs: float = 0
    momentum: float = 0.9
    wd: float = 1e-4
    no_wd: bool = False
    features_lr_mult: float = 1
    heads_lr_mult: float = 1
    frozen: int = 0
    optimizer: str = "sgd"
    dtype: str = "float32"
    mode: str = "hybrid"
    seed: int = 0

    def __post_init__(self):
        choices = {"lr_mode": LR_MODES, "optimizer": ("sgd", "nag"), "dtype": ("float32", "float16"),
                   "mode": ("hybrid", "imperative")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} {getattr(self, name)!r}: it must be one of {', '.join(allowed)}")
        ranges = {"epochs": EPOCHS, "lr": POSITIVE_RATE, "warmup_epochs": PERIOD, "momentum": MOMENTUM, "wd": RATE,
                  "features_lr_mult": SHARE, "heads_lr_mult": RATE, "frozen": PARTS, "seed": SEED}
        for name, quantity in ranges.items():
            quantity.check(name, getattr(self, name))
        if self.warmup_epochs >= self.epochs:
            raise InputError(f"{self.warmup_epochs:g} epochs of warm-up (warmup_epochs, --lr-warmup) do not fit into "
                             f"{self.epochs} of training; take fewer")


@dataclasses.dataclass(frozen=True)
class Task:
    """What a network is trained to do; by default to classify.

    Attributes
    ----------
    loss : callable
        ``loss(net, data, label)`` gives the loss of each sample, shape (n,), and the logits, or None where there
        is no accuracy; the place for distillation. Third, if it likes, a dict of the terms that make the loss up, each
        of shape (n,), which are logged.
    validate : callable
        ``validate(net, source, ctx, dtype)`` gives a dict of numbers, as `evaluate` does.
    score : str
        The one of these numbers by which a network is the best.
    """

    loss: Callable = cross_entropy
    validate: Callable = evaluate
    score: str = "top1"


CLASSIFICATION = Task()


def contexts(num_gpus=0):
    """Return the first `num_gpus` GPUs, or the CPU for 0; InputError if there are fewer."""
    found = mx.context.num_gpus() if num_gpus else 0
    if num_gpus > found:
        raise InputError(f"{num_gpus} GPUs wanted, MXNet sees {found}; install the mxnet-cu* build for your driver, "
                         "or take num_gpus 0, the CPU")
    return [mx.gpu(index) for index in range(num_gpus)] or [mx.cpu()]


def learning_rate(config, epochs_done):
    """Learning rate after `epochs_done` epochs, a fraction within an epoch included."""
    if epochs_done < config.warmup_epochs:
        return config.lr * epochs_done / config.warmup_epochs
    done = (epochs_done - config.warmup_epochs) / (config.epochs - config.warmup_epochs)
    factor = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1}
    return config.lr * factor[config.lr_mode]


def train(net, train_source, validation_source, config, save_dir, ctx=None, task=CLASSIFICATION, workers=ALONE,
          resume=False, log=print, log_interval=50, validation_interval=1, arguments=None, tensorboard=None):
    """Train a network; a checkpoint, a log line and a point of the curve follow every epoch.

    Parameters
    ----------
    net : HybridBlock
        All its shapes are known. Parameters that hold no values yet are initialised, each with its own
        initialiser.
    train_source : source of `gluon_etinynet.data`
        With several workers, this worker's part.
    validation_source : source of `gluon_etinynet.data` or None
    config : Config
    save_dir : str or Path
        Gets the checkpoints of the last two epochs, ``best.params``, ``metrics.jsonl`` and ``training.png``.
    ctx : list of Context, optional
        Devices that share each batch; the CPU by default.
    task : Task
    workers : Workers
        What `open_workers` yields: made beforehand since the sources need the rank. Rank 0 validates, logs and saves.
    resume : bool
        Go on from the newest whole checkpoint in `save_dir`, or start if there is none.
    log : callable
        Gets each line.
    log_interval : int
        Batches between two lines within an epoch; 0 for none.
    validation_interval : int
        Epochs from one validation to the next; the last has one anyway.
    arguments : dict, optional
        Kept in the checkpoint, as JSON.
    tensorboard : str or Path, optional
        Folder for a TensorBoard log.

    Returns
    -------
    list of dict
        One for each epoch: epoch, learning_rate, training_loss, seconds, samples_per_second; training_accuracy
        where the loss gives logits; after a validation also validation_loss, validation_top1 and so on.

    Raises
    ------
    InputError
        If the loss is not finite, a checkpoint does not fit, or `save_dir` cannot be written. The
        last good checkpoint is intact.
    """
    save_dir, ctx, first = Path(save_dir), list(ctx or [mx.cpu()]), workers.rank == 0
    log = log if first else lambda line: None
    with sole_writer(save_dir) if first else contextlib.nullcontext():
        return _trained(net, train_source, validation_source, config, save_dir, ctx, task, workers, resume, log,
                        log_interval, validation_interval, arguments, tensorboard)


def _trained(net, train_source, validation_source, config, save_dir, ctx, task, workers, resume, log, log_interval,
             validation_interval, arguments, tensorboard):
    """`train`, alone in `save_dir`."""
    first = workers.rank == 0
    if train_source.batch_size < len(ctx):
        raise InputError(f"a batch of {train_source.batch_size} cannot be shared by {len(ctx)} devices")
    settings = dict(dataclasses.asdict(config), batch_size=train_source.batch_size * workers.count,
                    **train_source.settings, blocks=sorted({type(block).__name__ for block in all_blocks(net)}))
    _prepare(net, ctx, config)
    trainer, names = _make_trainer(net, config, workers)
    history = _restored(save_dir, net, trainer, names, settings, resume, log)
    workers.start(trainer._params, len(history), len(train_source))
    if first:
        write_metrics(save_dir, history)  # a first write: an unwritable folder shows now, not after an epoch
    board = tensorboard_log(tensorboard, len(history)) if tensorboard and first else None

    drawn = 0
    for epoch in range(len(history), config.epochs):
        started = time.time()
        row = _train_epoch(net, trainer, train_source, config, epoch, ctx, task.loss, workers, log, log_interval)
        seconds = time.time() - started
        row.update(seconds=seconds, samples_per_second=train_source.samples_per_epoch * workers.count / seconds)
        history.append(row)
        if not first:
            continue
        log(f"[Epoch {epoch}] training: " + " ".join(f"{name[len('training_'):]}={value:.6f}" for name, value in
                                                     sorted(row.items()) if name.startswith("training_")))
        log(f"[Epoch {epoch}] speed: {row['samples_per_second']:.0f} samples/sec\ttime cost: {seconds:.6f}")
        last = epoch + 1 == config.epochs
        if validation_source is not None and ((epoch + 1) % validation_interval == 0 or last):
            row.update(_validated(net, validation_source, ctx, config.dtype, task, epoch, log))
            # Before the checkpoint: killed in between, the resumed epoch writes the same best weights again.
            scores = [past.get(f"validation_{task.score}", -1) for past in history]
            if scores[-1] > max(scores[:-1], default=-1):
                with atomic_path(save_dir / "best.params") as temporary:
                    save_net(net, temporary)
        save_checkpoint(save_dir, net, trainer, names, {"epoch": epoch, "settings": settings, "history": history,
                                                        "arguments": arguments or {}})
        write_metrics(save_dir, history)
        if last or time.time() - drawn > REDRAWN:
            draw_curves(save_dir / "training.png", history)
            drawn = time.time()
        if board:
            board(epoch, row)
    return history


def _prepare(net, ctx, config):
    """Give every parameter a value on every device, in the wanted type."""
    unknown = [name for name, shape in architecture(net).items() if not shape or 0 in shape]
    if unknown:
        raise ValueError(f"the shape of {unknown[0]} is not known before a first forward pass; give in_channels")
    mx.random.seed(config.seed)
    np.random.seed(config.seed)
    for parameter in net.collect_params().values():
        if parameter._data is None:
            parameter.initialize(ctx=ctx)
        else:
            parameter.reset_ctx(ctx)
    if config.features_lr_mult != 1:
        net.features.apply(hold_statistics)
    if config.frozen:
        freeze(net, config.frozen)
    net.cast(config.dtype)
    if config.mode == "hybrid":
        net.hybridize(static_alloc=True)  # with static_shape as well it takes twice the memory and is no faster


def _make_trainer(net, config, workers):
    """A trainer of all parameters that have a gradient, and their structural names."""
    trained, names = [], []
    for name, parameter in net._collect_params_with_prefix().items():
        if parameter.grad_req != "null" and parameter not in trained:
            trained.append(parameter)
            names.append(name)
            if config.no_wd and name.endswith(("bias", "gamma", "beta")):
                parameter.wd_mult = 0.0
            if name.startswith("features."):
                parameter.lr_mult = config.features_lr_mult
            elif config.heads_lr_mult != 1:
                parameter.lr_mult = config.heads_lr_mult
    options = {"learning_rate": config.lr, "momentum": config.momentum, "wd": config.wd,
               "multi_precision": config.dtype == "float16"}
    return workers.trainer(trained, config.optimizer, options), names


def _restored(save_dir, net, trainer, names, settings, resume, log):
    """The history of the training that `save_dir` holds, its state restored; empty if it starts."""
    found = newest_checkpoint(save_dir, log)
    if found is None:
        if resume:
            log(f"no checkpoint in {save_dir} to resume from: starting at epoch 0")
        return []
    folder, record = found
    if not resume:
        raise InputError(f"{save_dir} holds a training already ({folder.name}); resume it, or choose another save_dir")
    check_fits(folder, record, net, settings)
    restore(folder, net, trainer, names)
    log(f"resuming after epoch {record['epoch']} from {folder}")
    return record["history"]


def _train_epoch(net, trainer, source, config, epoch, ctx, loss, workers, log, log_interval):
    """Train for one epoch; return its row of the history."""
    seed = seed_of(config.seed, epoch)
    mx.random.seed(seed)
    np.random.seed(seed)
    counted, lr, ticked = Accuracy(tops=(1,), lag=LAG * len(ctx)), config.lr, time.time()
    with progress(total=len(source), desc=f"epoch {epoch}", unit="batch") as bar:
        for batch, (data, label) in enumerate(source.epoch(epoch)):
            lr = learning_rate(config, epoch + batch / len(source))
            trainer.set_learning_rate(lr)
            parts = shares(data, label, ctx, config.dtype)
            with mx.autograd.record():
                results = [(*loss(net, x, y), {})[:3] for x, y in parts]
            mx.autograd.backward([values for values, _, _ in results])
            workers.step(trainer, len(label))
            check = functools.partial(_check_finite, epoch, batch, lr, _all_finite(trainer))
            for (values, logits, terms), (_, y) in zip(results, parts):
                counted.add(y, logits, values, check, terms)
            bar.update()
            if log_interval and bar.disable and (batch + 1) % log_interval == 0:
                speed = log_interval * len(label) * workers.count / (time.time() - ticked)
                ticked = time.time()
                so_far = "".join(f"{'accuracy' if name == 'top1' else name}={total / max(1, counted.samples):.6f}\t"
                                 for name, total in counted.sums.items() if name != "loss")
                log(f"Epoch[{epoch}] Batch [{batch}]\tSpeed: {speed:.2f} samples/sec\t{so_far}lr={lr:.6f}")
        counted.finish()
    # With static_alloc, readers of BN's running statistics pass the last backward pass that still writes them.
    mx.nd.waitall()
    *sums, samples = workers.gather([*counted.sums.values(), counted.samples]).sum(axis=0)
    means = {f"training_{'accuracy' if name == 'top1' else name}": float(total / samples)
             for name, total in zip(counted.sums, sums)}
    return {"epoch": epoch, "learning_rate": lr, **means}


def _check_finite(epoch, batch, lr, finite, loss):
    if not (math.isfinite(loss) and finite.asscalar()):
        raise InputError(f"loss or weights are not finite at epoch {epoch}, batch {batch}, learning rate {lr:.6g}; "
                         "start anew in another save_dir with a lower lr or a longer warm-up, from the last "
                         "checkpoint's net.params if you like")


def _all_finite(trainer):
    """One number on the device: 1 if all weights are finite. A ReLU makes 0 of NaN, and the loss looks well."""
    weights = [parameter.list_data()[0] for parameter in trainer._params]
    chunks = [weights[start:start + FINITE_CHUNK] for start in range(0, len(weights), FINITE_CHUNK)]
    return mx.nd.stack(*[mx.nd.multi_all_finite(*chunk, num_arrays=len(chunk)) for chunk in chunks]).min()


def _validated(net, source, ctx, dtype, task, epoch, log):
    """Validate; return what goes into the history."""
    means = task.validate(net, source, ctx, dtype)
    log(f"[Epoch {epoch}] validation: " + " ".join(
        f"err-{name}={1 - value:.6f}" if name.startswith("top") else f"{name}={value:.6f}"
        for name, value in means.items() if name not in ("loss", "samples")))
    return {f"validation_{name}": value for name, value in means.items() if name != "samples"}
