"""The one training loop: float training, quantisation-aware training, distillation, ablations.

The defaults of `Config` are the paper's "Training details": SGD with momentum 0.9, weight decay 1e-4,
a cosine from learning rate 0.1, 300 epochs, cross-entropy, no mixup and no label smoothing.

An epoch depends on the seed and its own number alone, and a checkpoint follows each: a training that
was killed and resumed ends, on the same machine, with the same bits as one that ran through.
"""

import collections
import dataclasses
import math
import time
from pathlib import Path

import numpy as np

from .._mxnet import mx
from ..cli import progress
from ..files import InputError, atomic_path
from ..networks.batch_norm import hold_statistics
from .checkpoint import architecture, check_fits, newest_checkpoint, restore, save_checkpoint, save_net
from .curves import draw_curves, tensorboard_writer, write_metrics
from .distributed import add_gradients, check_agreement, gather, share_weights

__all__ = ["Config", "train", "evaluate", "cross_entropy", "learning_rate", "contexts"]

# Batches that the loop is ahead of the devices: reading a loss waits for it, and no device must run out of work.
LAG = 4
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
        if self.epochs < 1 or not self.lr > 0 or not 0 <= self.momentum < 1 or self.wd < 0:
            raise InputError(f"epochs {self.epochs}, lr {self.lr}, momentum {self.momentum}, wd {self.wd}: epochs and "
                             "lr must be positive, momentum in [0, 1), wd not negative")
        if not 0 <= self.features_lr_mult <= 1:
            raise InputError(f"features_lr_mult {self.features_lr_mult}: it must be from 0 to 1")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise InputError(f"{self.warmup_epochs} warm-up epochs must be fewer than the {self.epochs} epochs")


def contexts(num_gpus=0):
    """Return the first `num_gpus` GPUs, or the CPU for 0; InputError if there are fewer."""
    found = mx.context.num_gpus() if num_gpus else 0
    if num_gpus > found:
        raise InputError(f"{num_gpus} GPUs wanted, MXNet sees {found}; install the mxnet-cu* build for your driver, "
                         "or give --num-gpus 0")
    return [mx.gpu(index) for index in range(num_gpus)] or [mx.cpu()]


def learning_rate(config, epochs_done):
    """Learning rate after `epochs_done` epochs, a fraction within an epoch included."""
    if epochs_done < config.warmup_epochs:
        return config.lr * epochs_done / config.warmup_epochs
    done = (epochs_done - config.warmup_epochs) / (config.epochs - config.warmup_epochs)
    factor = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1}
    return config.lr * factor[config.lr_mode]


def cross_entropy(net, data, label):
    """Softmax cross-entropy of each sample, shape (n,), and the logits, shape (n, classes)."""
    logits = net(data).astype("float32")
    return -mx.nd.pick(mx.nd.log_softmax(logits), label), logits


def evaluate(net, source, ctx=None, dtype="float32", loss=cross_entropy):
    """Loss and accuracy of a network on every sample of a source.

    Parameters
    ----------
    net : HybridBlock
        Initialised on `ctx`.
    source : source of `gluon_etinynet.data`
    ctx : list of Context, optional
        The CPU by default.
    dtype : str
        What the data is cast to.
    loss : callable
        As for `train`.

    Returns
    -------
    dict
        "loss" (mean), "top1" and "top5" (fractions), "samples". Top-5 among fewer classes is top-all.
    """
    sums = _Sums(top5=True)
    for data, label in progress(source.epoch(0), desc="validation", total=_batches(source)):
        for x, y in zip(*_split(data, label, ctx or [mx.cpu()], dtype)):
            values, logits = loss(net, x, y)
            sums.add(values, logits, y)
        sums.read(keep=LAG)
    if not sums.samples and not sums.pending:
        raise InputError(f"none of the {source.samples} pictures could be read")
    return sums.means()


class _Sums:
    """Sums of loss and hits that stay on the devices until `LAG` batches later."""

    def __init__(self, top5=False):
        self.top5 = top5
        self.has_accuracy = True
        self.pending = collections.deque()
        self.totals = np.zeros(3)
        self.samples = 0

    def add(self, values, logits, label, note=None, finite=None):
        sums, self.has_accuracy = [values.astype("float32").sum()], logits is not None
        if self.has_accuracy:
            sums.append((logits.argmax(axis=1) == label).sum())
        if self.top5:
            five = logits.topk(axis=1, k=min(5, logits.shape[1]))
            sums.append((five == label.expand_dims(1)).sum())
        self.pending.append((len(label), sums, note, finite))

    def read(self, keep=0):
        """Add up all but the newest `keep`; return the note of the first that is not finite."""
        while len(self.pending) > keep:
            samples, sums, note, finite = self.pending.popleft()
            sums = [float(value.asscalar()) for value in sums]
            if note is not None and not (math.isfinite(sums[0]) and finite.asscalar()):
                return note
            self.totals[:len(sums)] += sums
            self.samples += samples
        return None

    def means(self):
        self.read()
        loss, top1, top5 = (float(total) / self.samples for total in self.totals)
        means = {"loss": loss, "top1": top1, "samples": self.samples}
        return dict(means, top5=top5) if self.top5 else means


def _batches(source):
    return -(-source.samples_per_epoch // source.batch_size)


def _split(data, label, ctx, dtype):
    used = ctx[:max(1, min(len(ctx), len(label)))]
    return [mx.gluon.utils.split_and_load(array, used, even_split=False)
            for array in (data.astype(dtype, copy=False), label)]


def train(net, train_source, validation_source, config, save_dir, ctx=None, loss=cross_entropy, kvstore="device",
          resume=False, log=print, log_interval=50, arguments=None, tensorboard=None, validate=evaluate,
          score="top1", validation_interval=1):
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
    loss : callable
        ``loss(net, data, label)`` gives the loss of each sample, shape (n,), and the logits, or None where there
        is no accuracy; the place for distillation.
    kvstore : str or mxnet.kvstore.KVStore
        What `gluon_etinynet.distributed.open_kvstore` yields: made beforehand since the sources need
        the rank.
    resume : bool
        Go on from the newest whole checkpoint in `save_dir`, or start if there is none.
    log : callable
        Gets each line.
    log_interval : int
        Batches between two lines within an epoch; 0 for none.
    arguments : dict, optional
        Kept in the checkpoint, as JSON.
    tensorboard : str or Path, optional
        Folder for a TensorBoard log.
    validate : callable
        ``validate(net, validation_source, ctx, dtype)`` gives a dict of numbers, as `evaluate` does.
    score : str
        The one of them by which ``best.params`` is the best.
    validation_interval : int
        Epochs from one validation to the next; the last has one anyway.

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
    save_dir, ctx = Path(save_dir), list(ctx or [mx.cpu()])
    workers, rank = (1, 0) if isinstance(kvstore, str) else (kvstore.num_workers, kvstore.rank)
    if train_source.batch_size < len(ctx):
        raise InputError(f"a batch of {train_source.batch_size} cannot be shared by {len(ctx)} devices")
    settings = dict(dataclasses.asdict(config), batch_size=train_source.batch_size * workers,
                    samples=train_source.samples)
    _prepare(net, ctx, config)
    trainer, names = _make_trainer(net, config, kvstore)

    found = newest_checkpoint(save_dir, log)
    history = []
    if found and not resume:
        raise InputError(f"{save_dir} holds a training already ({found[0].name}); add --resume to go on with it, "
                         "or choose another --save-dir")
    if found:
        folder, record = found
        check_fits(folder, record, net, settings)
        restore(folder, net, trainer, names)
        history = record["history"]
        log(f"resuming after epoch {record['epoch']} from {folder}")
    elif resume:
        log(f"no checkpoint in {save_dir} to resume from: starting at epoch 0")
    if not isinstance(kvstore, str):
        check_agreement(kvstore, len(history), _batches(train_source))
        share_weights(kvstore, trainer._params)
    if rank == 0:
        write_metrics(save_dir, history)  # a first write: an unwritable folder shows now, not after an epoch
    board = tensorboard_writer(tensorboard, len(history)) if tensorboard and rank == 0 else None

    drawn = 0
    for epoch in range(len(history), config.epochs):
        started = time.time()
        row = _train_epoch(net, trainer, train_source, config, epoch, ctx, loss, kvstore, workers,
                           log if rank == 0 else None, log_interval)
        seconds = time.time() - started
        row.update(seconds=seconds, samples_per_second=train_source.samples_per_epoch * workers / seconds)
        history.append(row)
        if rank != 0:
            continue
        accuracy = f"accuracy={row['training_accuracy']:.6f} " if "training_accuracy" in row else ""
        log(f"[Epoch {epoch}] training: {accuracy}loss={row['training_loss']:.6f}")
        log(f"[Epoch {epoch}] speed: {row['samples_per_second']:.0f} samples/sec\ttime cost: {seconds:.6f}")
        due = (epoch + 1) % validation_interval == 0 or epoch + 1 == config.epochs
        if validation_source is not None and due:
            means = validate(net, validation_source, ctx, config.dtype)
            row.update({f"validation_{name}": value for name, value in means.items() if name != "samples"})
            log(f"[Epoch {epoch}] validation: " + " ".join(
                f"err-{name}={1 - value:.6f}" if name.startswith("top") else f"{name}={value:.6f}"
                for name, value in means.items() if name not in ("loss", "samples")))
            # Before the checkpoint: killed in between, the resumed epoch writes the same best weights again.
            if means[score] > max([past.get(f"validation_{score}", -1) for past in history[:-1]], default=-1):
                with atomic_path(save_dir / "best.params") as temporary:
                    save_net(net, temporary)
        save_checkpoint(save_dir, net, trainer, names, {"epoch": epoch, "settings": settings, "history": history,
                                                        "arguments": arguments or {}})
        write_metrics(save_dir, history)
        if epoch + 1 == config.epochs or time.time() - drawn > REDRAWN:
            draw_curves(save_dir / "training.png", history)
            drawn = time.time()
        if board:
            for name, value in row.items():
                board.add_scalar(name, value, epoch)
            board.flush()
    if board:
        board.close()
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
    net.cast(config.dtype)
    if config.mode == "hybrid":
        net.hybridize(static_alloc=True, static_shape=True)


def _make_trainer(net, config, kvstore):
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
    options = {"learning_rate": config.lr, "momentum": config.momentum, "wd": config.wd,
               "multi_precision": config.dtype == "float16"}
    # The optimizer's state must be where the checkpoint is written; gluon_etinynet.distributed serves other stores.
    local = kvstore if isinstance(kvstore, str) else None
    return mx.gluon.Trainer(trained, config.optimizer, options, kvstore=local, update_on_kvstore=False), names


def _train_epoch(net, trainer, source, config, epoch, ctx, loss, kvstore, workers, log, log_interval):
    seed = int(np.random.SeedSequence((config.seed, epoch)).generate_state(1)[0] >> 1)
    mx.random.seed(seed)
    np.random.seed(seed)
    distributed = not isinstance(kvstore, str)
    sums, batches, lr, ticked = _Sums(), _batches(source), config.lr, time.time()

    def check(bad):
        if bad is not None:
            raise InputError(f"loss or weights are not finite at epoch {epoch}, batch {bad[0]}, "
                             f"learning rate {bad[1]:.6g}; "
                             "lower --lr, or lengthen the warm-up, and resume from the last checkpoint")

    with progress(total=batches, desc=f"epoch {epoch}", unit="batch") as bar:
        for batch, (data, label) in enumerate(source.epoch(epoch)):
            lr = learning_rate(config, epoch + batch / batches)
            trainer.set_learning_rate(lr)
            shares = list(zip(*_split(data, label, ctx, config.dtype)))
            with mx.autograd.record():
                results = [loss(net, x, y) for x, y in shares]
            mx.autograd.backward([values for values, _ in results])
            if distributed:
                add_gradients(kvstore, trainer._params)
                trainer.update(len(label) * workers)
            else:
                trainer.step(len(label))
            finite = _all_finite(trainer)
            for (values, logits), (_, y) in zip(results, shares):
                sums.add(values, logits, y, note=(batch, lr), finite=finite)
            check(sums.read(keep=LAG * len(ctx)))
            bar.update()
            if log and log_interval and bar.disable and (batch + 1) % log_interval == 0:
                speed = log_interval * len(label) * workers / (time.time() - ticked)
                ticked = time.time()
                accuracy = f"accuracy={sums.totals[1] / max(1, sums.samples):.6f}\t" if sums.has_accuracy else ""
                log(f"Epoch[{epoch}] Batch [{batch}]\tSpeed: {speed:.2f} samples/sec\t{accuracy}lr={lr:.6f}")
        check(sums.read())
    # With static_alloc, readers of BN's running statistics pass the last backward pass that still writes them.
    mx.nd.waitall()
    loss_sum, hits, samples = gather(kvstore, [*sums.totals[:2], sums.samples]).sum(axis=0)
    row = {"epoch": epoch, "learning_rate": lr, "training_loss": float(loss_sum / samples)}
    return dict(row, training_accuracy=float(hits / samples)) if sums.has_accuracy else row


def _all_finite(trainer):
    """One number on the device: 1 if all weights are finite. A ReLU makes 0 of NaN, and the loss looks well."""
    weights = [parameter.list_data()[0] for parameter in trainer._params]
    chunks = [weights[start:start + FINITE_CHUNK] for start in range(0, len(weights), FINITE_CHUNK)]
    return mx.nd.stack(*[mx.nd.multi_all_finite(*chunk, num_arrays=len(chunk)) for chunk in chunks]).min()
