"""Where batches come from: arrays in memory, folders of pictures, RecordIO files.

Every source has one face, which is all the training loop knows:

* ``samples``, ``classes``, ``batch_size``: pictures in the set, size of the label space, batch;
* ``samples_per_epoch``, and `len`: how many samples, and batches, one epoch of this source really yields;
* ``epoch(number)``: an iterator over pairs ``(data, label)`` of NDArrays on the CPU, float32,
  shapes (n, 3, height, width) and (n,). Data is ``pixel - 128`` in RGB ("8 bit signed integer with no
  standardization").

An epoch depends on (seed, number) alone, not on the epochs before it: a training run that was killed
goes on with the batches it would have seen. (The exception: RecordSource with several threads.) In
training the samples are shuffled and augmented and the incomplete last batch is left out, because batch
normalisation over a few samples disturbs the running statistics; in evaluation each sample comes
exactly once, in order, the last batch smaller. With `num_parts` workers each sample is in exactly one
part, and in training every part has the same number of batches, without which synchronous workers
would wait for each other for ever.
"""

import dataclasses
import math
from pathlib import Path
from typing import Optional

import cv2
import numpy as np

from .._mxnet import mx
from ..integer import pixels_to_input
from ..quantities import BATCH, COUNT, READERS, SEED, SIDE
from ..reading import InputError, read_classes
from .augment import CROP_AREA, CROP_RATIO, augment, turn
from .images import read_crop, read_image
from .record_check import validate_records

__all__ = ["Loading", "ArraySource", "FolderSource", "RecordSource", "seed_of"]

LIKELY_CLASSES = 1000  # of a few records of ImageNet; more than that and than records come from a damaged label


@dataclasses.dataclass(frozen=True)
class Loading:
    """How a source gives out its samples, wherever they come from.

    Attributes
    ----------
    batch_size : int
        Of this part; the global batch is `num_parts` times as large.
    size : int, optional
        Side of the network's input, in pixels. Only pictures in memory can do without: they stay as they are.
    train : bool
        Shuffle, augment and drop the incomplete last batch; otherwise each sample once, in order.
    seed : int
        Of the order and the augmentation.
    threads : int
        That read and augment files beside the training; 0 for none but the caller's.
    classes : int, optional
        Labels are 0 .. classes - 1; by default the largest label plus one.
    part_index, num_parts : int
        This worker's share of the samples.

    Raises
    ------
    InputError
        If a number is not possible.
    """

    batch_size: int
    size: Optional[int] = None
    train: bool = False
    seed: int = 0
    threads: int = 1
    classes: Optional[int] = None
    part_index: int = 0
    num_parts: int = 1

    def __post_init__(self):
        for name, quantity in {"batch_size": BATCH, "size": SIDE, "seed": SEED, "threads": READERS,
                               "classes": COUNT}.items():
            if getattr(self, name) is not None:
                quantity.check(name, getattr(self, name))
        if not 0 <= self.part_index < self.num_parts:
            raise InputError(f"part {self.part_index} of {self.num_parts}: it must be from 0 to {self.num_parts - 1}")

    def require(self, *names):
        """Raise InputError unless these were given, which have no default for every source."""
        for name in names:
            if getattr(self, name) is None:
                raise InputError(f"{name} is missing: this source of pictures needs it")


def seed_of(*numbers):
    """Return a 31-bit seed that depends on all the numbers (zeros at the end apart); neighbours get unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


class Source:
    """What the sources have in common: counting, order and sharding.

    Parameters
    ----------
    samples : int
        Pictures in the whole set.
    classes : int
        Size of the label space.
    loading : Loading

    Raises
    ------
    InputError
        If there are too few samples for one batch in every part.
    """

    def __init__(self, samples, classes, loading):
        self.samples, self.classes, self.batch_size, self.loading = samples, classes, loading.batch_size, loading
        parts = [len(self._part(range(samples), part)) for part in range(loading.num_parts)]
        # The smallest part decides, so that all parts have as many batches.
        self.samples_per_epoch = (min(parts) // self.batch_size * self.batch_size if loading.train
                                  else parts[loading.part_index])
        if not self.samples_per_epoch:
            raise InputError(f"{samples} samples are too few for {loading.num_parts} x one batch of "
                             f"{self.batch_size}; choose a smaller batch")

    def _part(self, samples, part):
        return samples[part::self.loading.num_parts]

    def __len__(self):
        """Batches in an epoch."""
        return -(-self.samples_per_epoch // self.batch_size)

    def _batches(self, number):
        """Lists of sample indices: the batches of epoch `number` of this part."""
        order = np.arange(self.samples)
        if self.loading.train:
            order = np.random.RandomState(seed_of(self.loading.seed, number)).permutation(self.samples)
        order = self._part(order, self.loading.part_index)[:self.samples_per_epoch]
        return [order[start:start + self.batch_size] for start in range(0, len(order), self.batch_size)]


def _network_input(pictures):
    """float32 (n, 3, height, width) of n uint8 pictures (height, width, 3)."""
    return pixels_to_input(np.stack(pictures)).astype(np.float32)


def _to_ndarrays(data, labels):
    return mx.nd.array(data, ctx=mx.cpu()), mx.nd.array(np.asarray(labels, np.float32), ctx=mx.cpu())


class ArraySource(Source):
    """Batches from pictures in memory.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 RGB, shape (n, height, width, 3).
    labels : numpy.ndarray
        Integers, shape (n,).
    loading : Loading
        With a size, the pictures are brought to it bilinearly. Its threads are not needed.
    shift : int
        In training: move the picture by up to so many of its own pixels each way (pad and crop).
    flip : bool
        In training: mirror half of the pictures.
    rotate, zoom : float
        In training: turn the picture by up to so many degrees, and enlarge or reduce it by up to this part.
    """

    def __init__(self, images, labels, loading, shift=0, flip=False, rotate=0.0, zoom=0.0):
        labels = np.asarray(labels)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise InputError("pictures must be uint8 (n, height, width, 3), "
                             f"not {images.dtype} {images.shape}")
        if labels.shape != images.shape[:1]:
            raise InputError(f"{len(images)} pictures have labels of shape {labels.shape}")
        super().__init__(len(images), loading.classes or int(labels.max(initial=-1)) + 1, loading)
        self.flip, self.shift = loading.train and flip, shift if loading.train else 0
        self.rotate, self.zoom = (rotate, zoom) if loading.train else (0.0, 0.0)
        self.height, self.width = images.shape[1:3]
        border = (self.shift, self.shift)
        self.images = np.pad(images, ((0, 0), border, border, (0, 0)), mode="edge") if self.shift else images
        self.labels = labels

    def epoch(self, number=0):
        """Iterate over the batches of epoch `number`."""
        random, size = np.random.RandomState(seed_of(self.loading.seed, number, 1)), self.loading.size
        corners = random.randint(2 * self.shift + 1, size=(self.samples, 2))
        flips = random.randint(2, size=self.samples) * self.flip
        angles = random.uniform(-self.rotate, self.rotate, self.samples)
        zooms = random.uniform(1 - self.zoom, 1 + self.zoom, self.samples)
        for indices in self._batches(number):
            pictures = []
            for index in indices:
                top, left = corners[index]
                image = self.images[index, top:top + self.height, left:left + self.width]
                if self.rotate or self.zoom:
                    image = turn(image, angles[index], zooms[index])
                if size:
                    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
                pictures.append(image[:, ::-1] if flips[index] else image)
            yield _to_ndarrays(_network_input(pictures), self.labels[indices])


class FolderSource(Source):
    """Batches from picture files, through Gluon's DataLoader.

    Parameters
    ----------
    files : list of (path, int)
        Pictures and their labels, as from `gluon_etinynet.data.index_folder`.
    loading : Loading
        With a size.
    crop_ratio : float
        In evaluation: the side of the central crop as a part of the resized short side.
    jitter : float
        In training: change brightness, contrast and saturation by up to this part.
    strict : bool
        Stop at a picture that cannot be read, in evaluation too.

    Attributes
    ----------
    unreadable : list of str
        In evaluation: what was said of the pictures that could not be read and were left out.
    """

    def __init__(self, files, loading, crop_ratio=0.875, jitter=0.0, strict=False):
        if not files:
            raise InputError("there are no pictures")
        loading.require("size")
        super().__init__(len(files), loading.classes or max(label for _, label in files) + 1, loading)
        self.files, self.size, self.crop_ratio, self.jitter = files, loading.size, crop_ratio, jitter
        self.strict, self.unreadable = strict, []

    def epoch(self, number=0):
        """Iterate over the batches of epoch `number`."""
        self.unreadable = []
        loader = mx.gluon.data.DataLoader(
            _Files(self, number), batch_sampler=self._batches(number), batchify_fn=_batchify,
            num_workers=self.loading.threads, thread_pool=True)
        for data, labels, complaints in loader:
            if complaints and (self.loading.train or self.strict):
                raise InputError(complaints[0])
            self.unreadable += complaints
            if labels:
                yield _to_ndarrays(data, labels)

    def sample(self, index, number):
        """Read one sample of epoch `number`.

        Returns
        -------
        picture : numpy.ndarray
            uint8, shape (size, size, 3).
        label

        Raises
        ------
        InputError
            If it cannot be read.
        """
        path, label = self.files[index]
        if self.loading.train:
            # Of this picture in this epoch, whichever thread reads it.
            random = np.random.RandomState(seed_of(self.loading.seed, number, index))
            return augment(read_image(path), self.size, random, self.jitter), label
        return read_crop(path, self.size, self.crop_ratio), label


class _Files(mx.gluon.data.Dataset):
    """The pictures of one epoch of a FolderSource."""

    def __init__(self, source, number):
        self.source, self.number = source, number

    def __len__(self):
        return self.source.samples

    def __getitem__(self, index):
        try:
            return (*self.source.sample(index, self.number), None)
        except InputError as error:
            return None, None, str(error)


def _batchify(samples):
    whole = [(picture, label) for picture, label, complaint in samples if complaint is None]
    data = _network_input([picture for picture, _ in whole]) if whole else None
    return data, [label for _, label in whole], [complaint for _, _, complaint in samples if complaint]


class RecordSource(Source):
    """Batches from a RecordIO file, through `mx.io.ImageRecordIter`, the fastest way.

    The records are checked before they are opened (see `gluon_etinynet.data.record_check`). With several
    parts each worker has a run of neighbouring records: they should not be sorted by class, and those
    of ``recipes/make_rec.sh`` are not.

    The seed gives the order. The crops and flips are MXNet's own sequence, the same in every epoch, dealt to
    the samples in the epoch's order; with more than one thread chance deals them, and an epoch is not
    repeatable to the bit.

    Parameters
    ----------
    rec : str or Path
    loading : Loading
        With a size. Of the threads, which decode, MXNet uses at most half as many as there are cores. One
        keeps training repeatable.
    idx : str or Path, optional
        By default the file beside `rec` with the extension ``.idx``.
    crop_ratio, jitter
        See `FolderSource`.

    Attributes
    ----------
    labels : list of str, or None
        Names of the classes, where ``recipes/make_rec.sh`` put them beside the records.

    Raises
    ------
    InputError
        If records are damaged, or labels do not fit the classes.
    """

    def __init__(self, rec, loading, idx=None, crop_ratio=0.875, jitter=0.0):
        loading.require("size")
        summary, size, classes = validate_records(rec, idx), loading.size, loading.classes
        if summary.classes > (classes or max(summary.samples, LIKELY_CLASSES)):
            what = f"{classes} classes" if classes else f"{summary.samples} records; say how many classes there are"
            raise InputError(f"{rec} has labels up to {summary.classes - 1}, too many for {what}")
        super().__init__(summary.samples, classes or summary.classes, loading)
        self.labels = read_classes(Path(rec).with_suffix(".classes.txt"))
        self.options = dict(
            path_imgrec=str(rec), path_imgidx=str(idx or Path(rec).with_suffix(".idx")),
            data_shape=(3, size, size), batch_size=loading.batch_size, preprocess_threads=max(1, loading.threads),
            part_index=loading.part_index, num_parts=loading.num_parts, mean_r=128, mean_g=128, mean_b=128,
            round_batch=False, device_id=-1, verbose=False,
            # One batch ahead. An iterator of MXNet's that is closed, as ours is after each epoch, keeps the memory of
            # up to so many batches for good (apache/mxnet #15218).
            prefetch_buffer=1)
        if loading.train:
            self.options.update(
                shuffle=True, random_resized_crop=True, rand_mirror=True,
                min_random_area=CROP_AREA[0], max_random_area=CROP_AREA[1],
                min_aspect_ratio=CROP_RATIO[0], max_aspect_ratio=CROP_RATIO[1],
                brightness=jitter, contrast=jitter, saturation=jitter)
        else:
            self.options.update(resize=math.ceil(size / crop_ratio))

    def _part(self, samples, part):
        step = -(-len(samples) // self.loading.num_parts)  # as ImageRecordIter divides them
        return samples[part * step:(part + 1) * step]

    def epoch(self, number=0):
        """Iterate over the batches of epoch `number`."""
        # A new iterator each time: the state of one that has run depends on what it has run.
        # No `seed_aug`: with it every batch would get the same crops and flips, position by position.
        batches = mx.io.ImageRecordIter(seed=seed_of(self.loading.seed, number), **self.options)
        for start in range(0, self.samples_per_epoch, self.batch_size):
            batch = next(batches)
            # The iterator fills its last batch up and its `pad` says 0; and it uses its arrays again.
            count = min(self.batch_size, self.samples_per_epoch - start)
            yield batch.data[0][:count].copy(), batch.label[0][:count].copy()
