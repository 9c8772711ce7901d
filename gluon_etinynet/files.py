"""Writing files and folders that appear whole or not at all, checksums and downloads.

Standard library only: both halves of the package (MXNet and integer) stand on it.
"""

import contextlib
import csv
import hashlib
import json
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from .reading import InputError, is_file, open_file

__all__ = ["InputError", "atomic_path", "atomic_folder", "write_json", "write_csv", "write_lines", "sha256",
           "download"]


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
def _staged(path):
    """Yield the name of `path` in a temporary folder beside it; OSError within becomes InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as folder:
            yield Path(folder) / path.name
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; "
                         "choose another folder or free some space") from error


def _flush(path):
    """Wait until a file, or the list of a folder's files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path, value):
    """Write `value` as indented JSON with sorted keys, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def write_csv(path, header, rows):
    """Write `rows` (an iterable of sequences) below `header` as CSV, atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)


def write_lines(path, lines):
    """Write `lines` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes("".join(f"{line}\n" for line in lines).encode())


def sha256(path):
    """Return the SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with open_file(path) as source:
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
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            reason = getattr(error, "reason", error)
            raise InputError(f"cannot download {url} ({reason}); without network, fetch it elsewhere "
                             f"and put it at {path}") from error
        got = sha256(temporary)
        if got != checksum:
            raise InputError(f"{url} came damaged or has changed (SHA-256 {got[:12]}..., expected "
                             f"{checksum[:12]}...); try again, or put the right file at {path}")
    return path
