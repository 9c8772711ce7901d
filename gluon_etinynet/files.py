"""Reading, checking and writing files, and the one error that a user's bad input raises.

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

__all__ = ["InputError", "atomic_path", "atomic_folder", "write_json", "write_csv", "read_record", "read_classes",
           "classes_beside", "write_classes", "sha256", "download"]


class InputError(ValueError):
    """Input that a user can mend: the message is one line naming the file and the remedy.

    The command line tools print it without a traceback and exit with status 2.
    """


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
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)


def read_record(path, settings):
    """Read what an earlier run has left, so that it can be taken up again.

    Parameters
    ----------
    path : str or Path
        JSON with "settings" in it.
    settings : dict
        Those of this run, ready for JSON.

    Returns
    -------
    dict or None
        None if there is no such file.

    Raises
    ------
    InputError
        If it is damaged, or of a run with other settings; names the first that differs.
    """
    try:
        record = json.loads(Path(path).read_text())
        there = record["settings"]
        differing = [name for name in {**settings, **there} if settings.get(name) != there.get(name)]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}); delete it to begin again") from error
    if differing:
        name = differing[0]
        raise InputError(f"{path} belongs to a run with other settings: {name} was {there.get(name)}, now it is "
                         f"{settings.get(name)}; choose another folder, or delete it to begin again")
    return record


def read_classes(path):
    """Return the names in a file that `write_classes` wrote; None if there is none."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else None


def classes_beside(path):
    """Return the lines of ``classes.txt`` beside a file or in the folder above, as training writes it; None without."""
    beside, above = (read_classes(folder / "classes.txt") for folder in (Path(path).parent, Path(path).parent.parent))
    return above if beside is None else beside


def write_classes(path, names):
    """Write the names of classes, one a line, atomically.

    Raises
    ------
    InputError
        If the file is there and names others.
    """
    path, text = Path(path), "".join(f"{name}\n" for name in names)
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise InputError(f"{path} names other classes, of another training; choose another folder")
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path):
    """Return the SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
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
    if path.is_file() and sha256(path) == checksum:
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
