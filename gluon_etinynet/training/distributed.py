"""Training on several machines with MXNet's parameter server, and never waiting for ever.

MXNet's own ways are to hang: when workers disagree on the number of batches, and at the end of a
process that failed, which waits for the others while they wait for it. `tools/launch.py` starts the
processes and watches them.
"""

import contextlib
import os
import sys
import traceback

import numpy as np

from .._mxnet import mx
from ..files import InputError

__all__ = ["open_kvstore", "share_weights", "add_gradients", "check_agreement", "gather"]

KEY = 1 << 20  # of `gather`; parameters have their number, from 0


@contextlib.contextmanager
def open_kvstore(name):
    """Yield what `gluon_etinynet.training.train` takes as `kvstore`.

    A worker of a distributed training that fails inside the block ends its process at once.

    Parameters
    ----------
    name : {"local", "device", "dist_sync", "dist_device_sync"}

    Yields
    ------
    str or mxnet.kvstore.KVStore
        The name, or the distributed store.

    Raises
    ------
    InputError
        If a scheduler and servers are needed and were not started.
    """
    if not name.startswith("dist"):
        yield name
        return
    if os.environ.get("DMLC_ROLE") != "worker":
        raise InputError(f"--kvstore {name} needs a scheduler and servers: start it with recipes/train_distributed.sh")
    store = mx.kv.create(name)
    store.init(KEY, mx.nd.zeros((store.num_workers, 3)))
    # tools/launch.py reads this line: MXNet gives ranks in an order of its own.
    print(f"rank {store.rank} of {store.num_workers}, process {os.getpid()}", flush=True)
    try:
        yield store
        return
    except InputError as error:
        status = 2
        print(f"rank {store.rank}: error: {error}", file=sys.stderr)
    except BaseException:
        status = 1
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def share_weights(store, parameters):
    """Give the weights of rank 0 to all workers."""
    for key, parameter in enumerate(parameters):
        store.init(key, parameter.list_data()[0])
        store.pull(key, out=parameter.list_data(), priority=-key)


def add_gradients(store, parameters):
    """Replace every gradient by its sum over all devices of all workers.

    ``Trainer.step`` would call ``pushpull``, whose answer MXNet 1.9.1's server makes before the sum is
    there: now and then it is the sum of an earlier batch. ``push`` is answered in time for ``pull``.
    """
    for key, parameter in enumerate(parameters):
        store.push(key, parameter.list_grad(), priority=-key)
        store.pull(key, out=parameter.list_grad(), priority=-key)


def gather(kvstore, values):
    """Three numbers of every worker, shape (workers, 3), in float32; all workers must call it."""
    if isinstance(kvstore, str):
        return np.array([values])
    everyone = np.zeros((kvstore.num_workers, 3), np.float32)
    everyone[kvstore.rank] = values
    total = mx.nd.zeros(everyone.shape)
    kvstore.push(KEY, mx.nd.array(everyone))
    kvstore.pull(KEY, out=total)
    return total.asnumpy()


def check_agreement(kvstore, start, batches):
    """Raise InputError unless all workers start at one epoch and have as many batches in each."""
    for rank, (epoch, count, _) in enumerate(gather(kvstore, [start, batches, 0]).astype(int)):
        if epoch != start:
            raise InputError(f"worker {rank} would start at epoch {epoch}, another one at {start}: "
                             "--save-dir must be one folder that all machines see")
        if count != batches:
            raise InputError(f"worker {rank} has {count} batches an epoch, another one has {batches}: "
                             "all machines must have the same data")
