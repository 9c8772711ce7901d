"""What a worker runs in the tests: a small network without BN on random pictures.

Usage: distributed_worker.py SAVE_DIR EPOCHS KVSTORE [--resume] [--slow]
"""

import sys
import time

import numpy as np

from gluon_etinynet import training
from gluon_etinynet._mxnet import mx
from gluon_etinynet.cli import run
from gluon_etinynet.data import ArraySource, Loading

GLOBAL_BATCH = 16


def make_net():
    """Convolution, ReLU, dense: without BN, whose statistics each worker would have of its own half."""
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(8, 3, in_channels=3, activation="relu"), mx.gluon.nn.MaxPool2D(2),
            mx.gluon.nn.Dense(4, in_units=8 * 3 * 3))
    return net


def main():
    """Train on this worker's part; the global batch is the same for any number of workers."""
    save_dir, epochs, name = sys.argv[1:4]
    random = np.random.RandomState(3)
    images, labels = random.randint(0, 256, (96, 8, 8, 3)).astype(np.uint8), random.randint(0, 4, 96)

    def loss(net, data, label):
        if "--slow" in sys.argv:
            time.sleep(0.1)
        return training.cross_entropy(net, data / 128, label)

    with training.open_workers(name) as workers:
        loading = Loading(GLOBAL_BATCH // workers.count, train=True, seed=5, part_index=workers.rank,
                          num_parts=workers.count)
        source = ArraySource(images, labels, loading)
        config = training.Config(epochs=int(epochs), lr=0.05, seed=7)
        training.train(make_net(), source, None, config, save_dir, task=training.Task(loss), workers=workers,
                       resume="--resume" in sys.argv)


if __name__ == "__main__":
    run(main)
