"""Where batches come from: arrays in memory, folders of pictures, RecordIO files.

Every source has one face, which is all the training loop knows:

* ``samples``, ``classes``, ``batch_size``: pictures in the set, size of the label space, batch;
* ``samples_per_epoch``: how many of them one epoch of this source really yields;
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

import math
from pathlib import Path

import cv2
import numpy as np

from .._mxnet import mx
from ..files import InputError
from .augment import CROP_AREA, CROP_RATIO, augment, turn
from .images import center_crop, read_image, resize_short
from .record_check import validate_records

__all__ = ["ArraySource", "FolderSource", "RecordSource"]


class Source:
    """What the sources have in common: counting, order and sharding.

    Parameters
    ----------
    samples : int
        Pictures in the whole set.
    classes : int
        Labels are 0 .. classes - 1.
    batch_size : int
        Of this part; the global batch is `num_parts` times as large.
    train : bool
        Shuffle, augment and drop the incomplete last batch; otherwise each sample once, in order.
    seed : int
    part_index, num_parts : int
        This worker's share of the samples.

    Raises
    ------
    InputError
        If there are too few samples for one batch in every part.
    """

    def __init__(self, samples, classes, batch_size, train, seed, part_index, num_parts):
        if batch_size < 1:
            raise InputError(f"batch size {batch_size}: it must be at least 1")
        if not 0 <= part_index < num_parts:
            raise InputError(f"part {part_index} of {num_parts}: it must be from 0 to {num_parts - 1}")
        self.samples, self.classes, self.batch_size = samples, classes, batch_size
        self.train, self.seed = train, seed
        self.part_index, self.num_parts = part_index, num_parts
        parts = [len(self._part(range(samples), part)) for part in range(num_parts)]
        # The smallest part decides, so that all parts have as many batches.
        self.samples_per_epoch = min(parts) // batch_size * batch_size if train else parts[part_index]
        if not self.samples_per_epoch:
            raise InputError(f"{samples} samples are too few for {num_parts} x one batch of {batch_size}; "
                             "choose a smaller batch")

    def _part(self, samples, part):
        return samples[part::self.num_parts]

    def __len__(self):
        """Batches in an epoch."""
        return -(-self.samples_per_epoch // self.batch_size)

    def _batches(self, number):
        """Lists of sample indices: the batches of epoch `number` of this part."""
        order = np.arange(self.samples)
        if self.train:
            order = np.random.RandomState(_seed(self.seed, number)).permutation(self.samples)
        order = self._part(order, self.part_index)[:self.samples_per_epoch]
        return [order[start:start + self.batch_size] for start in range(0, len(order), self.batch_size)]


def _seed(*numbers):
    """A 31-bit seed that depends on all the numbers; neighbours get unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


def _network_input(pictures):
    """float32 (n, 3, height, width), `pixel - 128`, of n uint8 pictures (height, width, 3)."""
    height, width = pictures[0].shape[:2]
    data = np.empty((len(pictures), 3, height, width), np.float32)
    for out, picture in zip(data, pictures):
        np.subtract(picture.transpose(2, 0, 1), 128, out=out, dtype=np.float32)
    return data


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
    batch_size, train, seed, part_index, num_parts
        See `Source`.
    size : int, optional
        Side in pixels to which the pictures are brought, bilinearly; by default they stay as they are.
    shift : int
        In training: move the picture by up to so many of its own pixels each way (pad and crop).
    flip : bool
        In training: mirror half of the pictures.
    rotate, zoom : float
        In training: turn the picture by up to so many degrees, and enlarge or reduce it by up to this part.
    classes : int, optional
        By default the largest label plus one.
    """

    def __init__(self, images, labels, batch_size, size=None, train=False, seed=0, shift=0, flip=False,
                 rotate=0.0, zoom=0.0, classes=None, part_index=0, num_parts=1):
        labels = np.asarray(labels)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise InputError("pictures must be uint8 (n, height, width, 3), "
                             f"not {images.dtype} {images.shape}")
        if labels.shape != images.shape[:1]:
            raise InputError(f"{len(images)} pictures have labels of shape {labels.shape}")
        classes = classes or int(labels.max(initial=-1)) + 1
        super().__init__(len(images), classes, batch_size, train, seed, part_index, num_parts)
        self.size, self.flip, self.shift = size, train and flip, shift if train else 0
        self.rotate, self.zoom = (rotate, zoom) if train else (0.0, 0.0)
        self.height, self.width = images.shape[1:3]
        border = (self.shift, self.shift)
        self.images = np.pad(images, ((0, 0), border, border, (0, 0)), mode="edge") if self.shift else images
        self.labels = labels

    def epoch(self, number=0):
        """Iterate over the batches of epoch `number`."""
        random = np.random.RandomState(_seed(self.seed, number, 1))
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
                if self.size:
                    image = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
                pictures.append(image[:, ::-1] if flips[index] else image)
            yield _to_ndarrays(_network_input(pictures), self.labels[indices])


class FolderSource(Source):
    """Batches from picture files, through Gluon's DataLoader.

    Parameters
    ----------
    files : list of (path, int)
        Pictures and their labels, as from `gluon_etinynet.images.index_folder`.
    batch_size, train, seed, part_index, num_parts
        See `Source`.
    size : int
        Side of the network's input, in pixels.
    crop_ratio : float
        In evaluation: the side of the central crop as a part of the resized short side.
    jitter : float
        In training: change brightness, contrast and saturation by up to this part.
    threads : int
        That read and augment pictures beside the training.
    classes : int, optional
        By default the largest label plus one.
    strict : bool
        Stop at a picture that cannot be read, in evaluation too.

    Attributes
    ----------
    unreadable : list of str
        In evaluation: what was said of the pictures that could not be read and were left out.
    """

    def __init__(self, files, batch_size, size=224, train=False, seed=0, crop_ratio=0.875, jitter=0.0,
                 threads=2, classes=None, strict=False, part_index=0, num_parts=1):
        if not files:
            raise InputError("there are no pictures")
        classes = classes or max(label for _, label in files) + 1
        super().__init__(len(files), classes, batch_size, train, seed, part_index, num_parts)
        self.files, self.size, self.crop_ratio, self.jitter = files, size, crop_ratio, jitter
        self.threads, self.strict = threads, strict
        self.unreadable = []

    def epoch(self, number=0):
        """Iterate over the batches of epoch `number`."""
        self.unreadable = []
        loader = mx.gluon.data.DataLoader(
            _Files(self, number), batch_sampler=self._batches(number), batchify_fn=_batchify,
            num_workers=self.threads, thread_pool=True)
        for data, labels, complaints in loader:
            if complaints and (self.train or self.strict):
                raise InputError(complaints[0])
            self.unreadable += complaints
            if labels:
                yield _to_ndarrays(data, labels)

    def _read(self, index, number):
        path, label = self.files[index]
        try:
            image = read_image(path)
        except InputError as error:
            return None, label, str(error)
        if self.train:
            # Of this picture in this epoch, whichever thread reads it.
            random = np.random.RandomState(_seed(self.seed, number, index))
            return augment(image, self.size, random, self.jitter), label, None
        short_side = math.ceil(self.size / self.crop_ratio)
        return center_crop(resize_short(image, short_side), self.size), label, None


class _Files(mx.gluon.data.Dataset):
    """The pictures of one epoch of a FolderSource."""

    def __init__(self, source, number):
        self.source, self.number = source, number

    def __len__(self):
        return self.source.samples

    def __getitem__(self, index):
        return self.source._read(index, self.number)


def _batchify(samples):
    whole = [(picture, label) for picture, label, complaint in samples if complaint is None]
    data = _network_input([picture for picture, _ in whole]) if whole else None
    return data, [label for _, label in whole], [complaint for _, _, complaint in samples if complaint]


class RecordSource(Source):
    """Batches from a RecordIO file, through `mx.io.ImageRecordIter`, the fastest way.

    The records are checked before they are opened (see `gluon_etinynet.records`). With several
    parts each worker has a run of neighbouring records: they should not be sorted by class, and those
    of ``recipes/make_rec.sh`` are not.

    The seed gives the order. The crops and flips are MXNet's own sequence, the same in every epoch, dealt to
    the samples in the epoch's order; with more than one thread chance deals them, and an epoch is not
    repeatable to the bit.

    Parameters
    ----------
    rec : str or Path
    idx : str or Path, optional
        By default the file beside `rec` with the extension ``.idx``.
    batch_size, size, train, seed, crop_ratio, jitter, classes, part_index, num_parts
        See `FolderSource`.
    threads : int
        That decode, of which MXNet uses at most half as many as there are cores. One keeps training
        repeatable.

    Raises
    ------
    InputError
        If records are damaged, or labels do not fit `classes`.
    """

    def __init__(self, rec, idx=None, batch_size=128, size=224, train=False, seed=0, crop_ratio=0.875,
                 jitter=0.0, threads=1, classes=None, part_index=0, num_parts=1):
        summary = validate_records(rec, idx)
        if classes is not None and summary.classes > classes:
            raise InputError(f"{rec} has labels up to {summary.classes - 1}, too many for {classes} classes")
        super().__init__(summary.samples, classes or summary.classes, batch_size, train, seed,
                         part_index, num_parts)
        self.options = dict(
            path_imgrec=str(rec), path_imgidx=str(idx or Path(rec).with_suffix(".idx")),
            data_shape=(3, size, size), batch_size=batch_size, preprocess_threads=threads,
            part_index=part_index, num_parts=num_parts, mean_r=128, mean_g=128, mean_b=128,
            round_batch=False, device_id=-1, verbose=False)
        if train:
            self.options.update(
                shuffle=True, random_resized_crop=True, rand_mirror=True,
                min_random_area=CROP_AREA[0], max_random_area=CROP_AREA[1],
                min_aspect_ratio=CROP_RATIO[0], max_aspect_ratio=CROP_RATIO[1],
                brightness=jitter, contrast=jitter, saturation=jitter)
        else:
            self.options.update(resize=math.ceil(size / crop_ratio))

    def _part(self, samples, part):
        step = -(-len(samples) // self.num_parts)  # as ImageRecordIter divides them
        return samples[part * step:(part + 1) * step]

    def epoch(self, number=0):
        """Iterate over the batches of epoch `number`."""
        # A new iterator each time: the state of one that has run depends on what it has run.
        # No `seed_aug`: with it every batch would get the same crops and flips, position by position.
        batches = mx.io.ImageRecordIter(seed=_seed(self.seed, number), **self.options)
        for start in range(0, self.samples_per_epoch, self.batch_size):
            batch = next(batches)
            # The iterator fills its last batch up and its `pad` says 0; and it uses its arrays again.
            count = min(self.batch_size, self.samples_per_epoch - start)
            yield batch.data[0][:count].copy(), batch.label[0][:count].copy()
