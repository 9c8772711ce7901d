"""Where batches come from: arrays in memory, folders of pictures, RecordIO files.

Every source has one face, which is all the training loop knows:

* ``samples``, ``classes``, ``batch_size``: pictures in the set, size of the label space, batch;
* ``samples_per_epoch``, and `len`: how many samples, and batches, one epoch of this source really yields;
* ``epoch(number)``: an iterator over pairs ``(data, label)`` of NDArrays on the CPU, float32,
  shapes (n, 3, height, width) and (n,). Data is ``pixel - 128`` in RGB ("8 bit signed integer with no
  standardization").

An epoch depends on (seed, number) alone, not on the epochs before it nor on the threads: a training run that was
killed goes on with the batches it would have seen. In training the samples are shuffled and augmented and the
incomplete last batch is left out, because batch normalisation over a few samples disturbs the running statistics; in
evaluation each sample comes exactly once, in order, the last batch smaller. With `num_parts` workers each sample is in
exactly one part, and in training every part has the same number of batches, without which synchronous workers would
wait for each other for ever.
"""

import abc
import collections
import concurrent.futures
import dataclasses
from pathlib import Path
from typing import Optional

import cv2
import numpy as np

from .._mxnet import mx
from ..integer import pixels_to_input
from ..quantities import BATCH, COUNT, READERS, SEED, SIDE
from ..reading import InputError, open_file, parsing, read_bytes, read_classes
from .augment import augment, turn
from .images import LARGEST_BYTES, center_crop, use_picture
from .record_check import REMEDY, read_index, read_record, validate_records

__all__ = ["Loading", "ArraySource", "PictureSource", "FolderSource", "RecordSource", "seed_of"]

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

    Attributes
    ----------
    settings : dict
        What the pictures of an epoch depend on, by name; a training that is resumed must have the same.

    Raises
    ------
    InputError
        If there are too few samples for one batch in every part.
    """

    def __init__(self, samples, classes, loading):
        self.samples, self.classes, self.batch_size, self.loading = samples, classes, loading.batch_size, loading
        self.settings = {"samples": samples, "input_size": loading.size}
        parts = [len(range(samples)[part::loading.num_parts]) for part in range(loading.num_parts)]
        # The smallest part decides, so that all parts have as many batches.
        self.samples_per_epoch = (min(parts) // self.batch_size * self.batch_size if loading.train
                                  else parts[loading.part_index])
        if not self.samples_per_epoch:
            raise InputError(f"{samples} samples are too few for {loading.num_parts} x one batch of "
                             f"{self.batch_size}; choose a smaller batch")

    def __len__(self):
        """Batches in an epoch."""
        return -(-self.samples_per_epoch // self.batch_size)

    def _batches(self, number):
        """Lists of sample indices: the batches of epoch `number` of this part."""
        order = np.arange(self.samples)
        if self.loading.train:
            order = np.random.RandomState(seed_of(self.loading.seed, number)).permutation(self.samples)
        order = order[self.loading.part_index::self.loading.num_parts][:self.samples_per_epoch]
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
        self.settings.update(shift=shift, flip=flip, rotate=rotate, zoom=zoom)
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


class PictureSource(Source, abc.ABC):
    """Batches from encoded pictures, which threads read, decode and augment while the network learns.

    A source of this kind says where its pictures are: `content`.

    Parameters
    ----------
    samples, classes
        As of `Source`.
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

    def __init__(self, samples, classes, loading, crop_ratio=0.875, jitter=0.0, strict=False):
        loading.require("size")
        super().__init__(samples, classes, loading)
        self.size, self.crop_ratio, self.jitter = loading.size, crop_ratio, jitter
        self.settings["jitter"] = jitter
        self.strict, self.unreadable, self._pool = strict, [], None

    @abc.abstractmethod
    def content(self, index):
        """The encoded picture (bytes) of a sample, its label, and what it is called in a message."""

    def epoch(self, number=0):
        """Iterate over the batches of epoch `number`."""
        self.unreadable = []
        for data, labels, complaints in self._ahead(lambda indices: self._batch(indices, number),
                                                    self._batches(number)):
            if complaints and (self.loading.train or self.strict):
                raise InputError(complaints[0])
            self.unreadable += complaints
            if len(labels):
                yield _to_ndarrays(data, labels)

    def _ahead(self, work, tasks):
        """The results of all tasks, in order; each thread has begun with one more when a result is used."""
        if not self.loading.threads:
            yield from map(work, tasks)
            return
        # The same threads in every epoch: new ones would bring memory of their own that is not given back.
        self._pool = self._pool or concurrent.futures.ThreadPoolExecutor(self.loading.threads)
        begun = collections.deque()
        try:
            for task in tasks:
                begun.append(self._pool.submit(work, task))
                if len(begun) > self.loading.threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    def _batch(self, indices, number):
        """Pictures and labels of those samples that can be read, and what was said of the others."""
        pictures, labels, complaints = [], [], []
        for index in indices:
            try:
                picture, label = self.sample(index, number)
            except InputError as error:
                complaints.append(str(error))
            else:
                pictures.append(picture)
                labels.append(label)
        return _network_input(pictures) if pictures else None, labels, complaints

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
        content, label, name = self.content(index)
        if not self.loading.train:
            return use_picture(content, name, lambda image: center_crop(image, self.size, self.crop_ratio)), label
        # Of this picture in this epoch, whichever thread reads it.
        random = np.random.RandomState(seed_of(self.loading.seed, number, index))
        return augment(use_picture(content, name), self.size, random, self.jitter), label


class FolderSource(PictureSource):
    """Batches from picture files.

    Parameters
    ----------
    files : list of (path, int)
        Pictures and their labels, as from `gluon_etinynet.data.index_folder`.
    loading, crop_ratio, jitter, strict
        As of `PictureSource`.
    """

    def __init__(self, files, loading, **options):
        if not files:
            raise InputError("there are no pictures")
        super().__init__(len(files), loading.classes or max(label for _, label in files) + 1, loading, **options)
        self.files = files

    def content(self, index):
        """As of `PictureSource`; InputError if the file cannot be read."""
        path, label = self.files[index]
        return read_bytes(path, LARGEST_BYTES), label, path


class RecordSource(PictureSource):
    """Batches from a RecordIO file, whose records are checked before (see `gluon_etinynet.data.record_check`).

    Parameters
    ----------
    rec : str or Path
    loading : Loading
    idx : str or Path, optional
        By default the file beside `rec` with the extension ``.idx``.
    crop_ratio, jitter, strict
        As of `PictureSource`.

    Attributes
    ----------
    labels : list of str, or None
        Names of the classes, where ``recipes/make_rec.sh`` put them beside the records.

    Raises
    ------
    InputError
        If records are damaged, or labels do not fit the classes.
    """

    def __init__(self, rec, loading, idx=None, **options):
        self.rec, idx = Path(rec), Path(idx or Path(rec).with_suffix(".idx"))
        self.labels = read_classes(self.rec.with_suffix(".classes.txt"))
        summary, classes = validate_records(rec, idx), loading.classes or len(self.labels or ())
        if summary.classes > (classes or max(summary.samples, LIKELY_CLASSES)):
            what = f"{classes} classes" if classes else f"{summary.samples} records; say how many classes there are"
            raise InputError(f"{rec} has labels up to {summary.classes - 1}, too many for {what}")
        super().__init__(summary.samples, classes or summary.classes, loading, **options)
        entries = read_index(idx)
        self.keys = np.array([key for key, _ in entries])
        self.bounds = np.array([begin for _, begin in entries] + [self.rec.stat().st_size])

    def content(self, index):
        """As of `PictureSource`; InputError if the record has changed since it was checked."""
        begin, end = map(int, self.bounds[index:index + 2])
        name = f"{self.rec}: record {self.keys[index]} (byte {begin})"
        with open_file(self.rec, remedy=REMEDY) as file, parsing(name, REMEDY):
            label, picture = read_record(file, begin, end)
        return picture, label, name
