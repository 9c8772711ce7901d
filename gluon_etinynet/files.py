"""Writing files and folders that appear whole or not at all, checksums and downloads.

Standard library and NumPy only: both halves of the package (MXNet and integer) stand on it.
"""

import contextlib
import csv
import errno
import fcntl
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import urllib.error
import urllib.request
import warnings
from pathlib import Path

import numpy as np

from .reading import LARGEST, MORE_DESCRIPTORS, InputError, is_file, open_file, read_classes, wants_descriptors

__all__ = ["LOCK", "PARTIAL", "sole_writer", "atomic_path", "atomic_folder", "staged_files", "place_below",
           "holds_nothing", "unwritable", "write_text", "write_json", "write_csv",
           "npz_bytes", "write_classes", "sha256", "download"]

LOCK, PARTIAL = ".writing", ".partial-"  # in a folder that is written: who writes, and what is not whole yet
_held = threading.local()  # the folders that this thread is the writer of



@contextlib.contextmanager
def sole_writer(folder):
    """Be the only writer of an output folder for the time of the block.

    A lock on the file ``.writing`` within it tells others, and ends with the process however that ends. Within the
    block the same thread may ask again: a tool holds the folder while it calls what writes there. What killed writers
    have left half written is removed.

    Parameters
    ----------
    folder : str or Path
        Made if it is missing, and removed again if nothing came into it.

    Yields
    ------
    Path
        `folder`.

    Raises
    ------
    InputError
        If another process or thread writes into it, naming it, or if it cannot be written.

    Warns
    -----
    UserWarning
        Where the file system has no locks; the block runs without.
    """
    folder, held = Path(folder), _held.__dict__.setdefault("folders", set())
    real = os.path.realpath(folder)
    if real in held:
        yield folder
        return
    if is_file(folder):
        raise InputError(f"{folder} is a file; choose a folder")
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _locked(folder / LOCK)
    except OSError as error:
        raise unwritable(folder, error) from error
    held.add(real)
    try:
        for left in folder.glob(PARTIAL + "*"):
            _remove_if_left(left)
        yield folder
    finally:
        held.discard(real)
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()
        os.close(handle)
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _locked(path):
    """Lock a file with this process's name in it; return its handle."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            if not _try_lock(handle):
                other = os.read(handle, 1000).decode(errors="replace").strip() or "another process"
                raise InputError(f"{path.parent} is being written by {other}; wait for its end, or choose another "
                                 "folder")
            if path.exists() and os.path.samestat(path.stat(), os.fstat(handle)):  # else its owner has just removed it
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()} "
                                 f"({os.path.basename(sys.argv[0])})\n".encode(errors="replace"))
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _try_lock(handle):
    """Whether nobody else has the lock."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
            raise
        warnings.warn(f"this file system has no locks ({error.strerror}): see that nothing else writes into the folder",
                      stacklevel=5)
    return True


def _remove_if_left(partial):
    """Remove a temporary folder whose writer has died: a living one has locked it."""
    with contextlib.suppress(OSError):
        handle = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(partial)
        finally:
            os.close(handle)


def unwritable(path, error):
    """The InputError that says why `path` cannot be written, by an OSError."""
    remedy = MORE_DESCRIPTORS if wants_descriptors(error) else "choose another folder or free some space"
    return InputError(f"cannot write {path}: {error.strerror or error}; {remedy}")


def holds_nothing(folder):
    """Whether there is nothing in a folder but what writers leave when they are killed."""
    return all(path.name == LOCK or path.name.startswith(PARTIAL) for path in Path(folder).iterdir())


def place_below(folder, path):
    """Where `path`, relative to `folder`, leads when symbolic links of folders are followed.

    Returns
    -------
    str or None
        Relative to `folder` too; None if it is not below it.
    """
    real, (parent, name) = os.path.realpath(folder), os.path.split(path)
    parent = os.path.realpath(os.path.join(real, parent))
    return os.path.relpath(os.path.join(parent, name), real) if os.path.commonpath([real, parent]) == real else None


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`; rename what was written there to `path` if the block succeeds.

    A reader sees the old file or the new one, never half of it, and a failed or killed writer
    leaves `path` as it was. The temporary file has the name of `path` (in a folder of its own), because
    matplotlib and OpenCV choose the format by the extension.

    Parameters
    ----------
    path : str or Path
        Destination; missing parent folders are made.

    Raises
    ------
    InputError
        If the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    with _staged(path) as temporary:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)


@contextlib.contextmanager
def atomic_folder(path):
    """Yield a temporary folder beside `path`; rename it to `path` if the block succeeds.

    The folder appears whole or not at all. One that is there already is removed just before.

    Parameters, errors
    ------------------
    As for `atomic_path`.
    """
    path = Path(path)
    with _staged(path) as temporary:
        temporary.mkdir()
        yield temporary
        for written in temporary.rglob("*"):
            if written.is_file():
                _flush(written)
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _flush(path.parent)


@contextlib.contextmanager
def staged_files(folder, files):
    """Write files into a temporary folder within `folder`, and yield a function that moves one to its place.

    All of them are on the disk when the block begins, so that moving needs no more room.

    Parameters
    ----------
    folder : str or Path
    files : dict from str to str or bytes
        Path relative to `folder`, with forward slashes -> text, or bytes.

    Raises
    ------
    InputError
        As `atomic_path`; and if one of the places is outside `folder`, because of a symbolic link.
    """
    folder = Path(folder)
    for path in files:
        if place_below(folder, path) is None:
            raise InputError(f"{(folder / path).parent} leads out of {folder}; remove that link")

    with _staged(folder / "files") as temporary:
        def place(path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary / path, folder / path)

        for path, text in files.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_bytes(text if isinstance(text, bytes) else text.encode())
            _flush(temporary / path)
        yield place


@contextlib.contextmanager
def _staged(path):
    """Yield the name of `path` in a temporary folder beside it; OSError within becomes InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary_folder(path.parent) as folder:
            handle = os.open(folder, os.O_RDONLY)
            try:
                with contextlib.suppress(OSError):  # where there are no locks, nobody removes it either
                    fcntl.flock(handle, fcntl.LOCK_SH)
                yield Path(folder) / path.name
            finally:
                os.close(handle)
    except OSError as error:
        raise unwritable(path, error) from error


@contextlib.contextmanager
def _temporary_folder(within):
    folder = tempfile.mkdtemp(dir=within, prefix=PARTIAL)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder):
    """As `shutil.rmtree`, which holds a file open for each level: this needs one, when there may be no more."""
    for within, folders, files in os.walk(folder, topdown=False):
        for name in files:
            os.unlink(os.path.join(within, name))
        for name in folders:
            os.rmdir(os.path.join(within, name))
    os.rmdir(folder)


def _flush(path):
    """Wait until a file, or the list of a folder's files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path, text):
    """Write `text` in UTF-8, atomically; names of files that are no UTF-8 keep their bytes."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode(errors="surrogateescape"))


def write_json(path, value):
    """Write `value` as indented JSON with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def write_csv(path, header, rows):
    """Write `rows` (an iterable of sequences) below `header` as CSV, atomically."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, out.getvalue())


def npz_bytes(arrays):
    """Return a dict of arrays as an uncompressed `.npz`: NumPy's own writing complains twice of a full disk."""
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def write_classes(path, names):
    """Write the names of classes, one a line, atomically.

    Raises
    ------
    InputError
        If the file is there and names others.
    """
    names = list(names)
    if read_classes(path) not in (None, names):
        raise InputError(f"{path} names other classes, of another training; choose another folder")
    write_text(path, "".join(f"{name}\n" for name in names))


def sha256(path):
    """Return the SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with open_file(path, LARGEST) as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def download(url, path, checksum, timeout=30):
    """Fetch `url` to `path` unless a file with that checksum is there already.

    Parameters
    ----------
    url : str
    path : str or Path
        Written only after the whole file has come and its checksum is right.
    checksum : str
        SHA-256, hexadecimal.
    timeout : float
        Seconds without data after which the download is given up.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Without network, if the transfer breaks off, if the checksum differs, or if the folder
        cannot be written. The message says where to put the file by hand.
    """
    path = Path(path)
    if is_file(path) and sha256(path) == checksum:
        return path
    with atomic_path(path) as temporary:
        try:
            with urllib.request.urlopen(url, timeout=timeout) as source, open(temporary, "wb") as out:
                shutil.copyfileobj(source, out)
        # A timeout is no TimeoutError before Python 3.10.
        except (urllib.error.URLError, ConnectionError, socket.timeout, ssl.SSLError,
                http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise InputError(f"cannot download {url} ({reason}); without network, fetch it elsewhere "
                             f"and put it at {path}") from error
        got = sha256(temporary)
        if got != checksum:
            raise InputError(f"{url} came damaged or has changed (SHA-256 {got[:12]}..., expected "
                             f"{checksum[:12]}...); try again, or put the right file at {path}")
    return path
