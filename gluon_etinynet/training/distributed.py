"""The processes that train one network together, and never wait for ever.

Several machines add up their gradients with MXNet's parameter server. Its own ways are to hang: when workers
disagree on the number of batches, and at the end of a process that failed, which waits for the others while
they wait for it. `tools/launch.py` starts the processes and watches them.
"""

import contextlib
import os
import sys
import traceback

import numpy as np

from .._mxnet import mx
from ..cli import beat
from ..files import InputError

__all__ = ["Workers", "ALONE", "DistributedWorkers", "open_workers"]

KEY = 1 << 20  # of `gather`; parameters have their number, from 0


class Workers:
    """One process, which trains alone.

    Parameters
    ----------
    kvstore : {"local", "device"}
        Where MXNet adds up the gradients of several devices: on the CPU, or on a device.

    Attributes
    ----------
    rank, count : int
        This process's number, from 0, and how many there are.
    """

    rank, count = 0, 1

    def __init__(self, kvstore="device"):
        self._kvstore = kvstore

    def trainer(self, parameters, optimizer, options):
        """Return a Gluon Trainer whose `update` is this process's own: checkpoints need the optimizer's state."""
        return mx.gluon.Trainer(parameters, optimizer, options, kvstore=self._kvstore, update_on_kvstore=False)

    def start(self, parameters, epoch, batches):
        """Make sure that all workers start alike: at one epoch, with as many batches in each, with equal weights."""

    def step(self, trainer, samples):
        """Update the weights by the gradients of all workers, each of a batch of `samples`."""
        trainer.step(samples)

    def gather(self, values):
        """Three numbers of every worker, shape (workers, 3); all workers must call it."""
        return np.array([values])


ALONE = Workers()


class DistributedWorkers(Workers):
    """One of several processes whose gradients are added up by parameter servers.

    Parameters
    ----------
    store : mxnet.kvstore.KVStore
        Of a distributed type.
    """

    def __init__(self, store):
        super().__init__(kvstore=None)  # the trainer has none: `step` does its work
        self._store = store
        self.rank, self.count = store.rank, store.num_workers
        store.init(KEY, mx.nd.zeros((self.count, 3)))

    def start(self, parameters, epoch, batches):
        """As of `Workers`; gives the weights of rank 0 to all. InputError if the workers disagree."""
        for rank, (first, count, _) in enumerate(self.gather([epoch, batches, 0]).astype(int)):
            if first != epoch:
                raise InputError(f"worker {rank} would start at epoch {first}, another one at {epoch}: "
                                 "save_dir must be one folder that all machines see")
            if count != batches:
                raise InputError(f"worker {rank} has {count} batches an epoch, another one has {batches}: "
                                 "all machines must have the same data")
        for key, parameter in enumerate(parameters):
            self._store.init(key, parameter.list_data()[0])
            self._store.pull(key, out=parameter.list_data(), priority=-key)

    def step(self, trainer, samples):
        """As of `Workers`.

        ``Trainer.step`` would call ``pushpull``, whose answer MXNet 1.9.1's server makes before the sum is
        there: now and then it is the sum of an earlier batch. ``push`` is answered in time for ``pull``.
        """
        for key, parameter in enumerate(trainer._params):
            self._store.push(key, parameter.list_grad(), priority=-key)
            self._store.pull(key, out=parameter.list_grad(), priority=-key)
        trainer.update(samples * self.count)

    def gather(self, values):
        """As of `Workers`, in float32."""
        everyone = np.zeros((self.count, 3), np.float32)
        everyone[self.rank] = values
        total = mx.nd.zeros(everyone.shape)
        self._store.push(KEY, mx.nd.array(everyone))
        self._store.pull(KEY, out=total)
        return total.asnumpy()


@contextlib.contextmanager
def open_workers(kvstore):
    """Yield the `Workers` of a training.

    A worker of a distributed training that fails inside the block ends its process at once.

    Parameters
    ----------
    kvstore : {"local", "device", "dist_sync", "dist_device_sync"}

    Raises
    ------
    InputError
        If a scheduler and servers are needed and were not started.
    """
    if not kvstore.startswith("dist"):
        yield Workers(kvstore)
        return
    if os.environ.get("DMLC_ROLE") != "worker":
        raise InputError(f"kvstore {kvstore} needs a scheduler and servers: start it with recipes/train_distributed.sh")
    workers = DistributedWorkers(mx.kv.create(kvstore))
    # tools/launch.py reads this line: MXNet gives ranks in an order of its own.
    print(f"rank {workers.rank} of {workers.count}, process {os.getpid()}", flush=True)
    beat()
    try:
        yield workers
        return
    except InputError as error:
        status = 2
        print(f"rank {workers.rank}: error: {error}", file=sys.stderr)
    except BaseException:
        status = 1
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
