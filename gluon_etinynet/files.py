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

__all__ = ["InputError", "atomic_path", "write_json", "write_csv", "classes_beside", "sha256", "download"]


class InputError(ValueError):
    """Input that a user can mend: the message is one line naming the file and the remedy.

    The command line tools print it without a traceback and exit with status 2.
    """


@contextlib.contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds.

    A reader sees the old file or the new one, never half of it, and a failed or killed writer
    leaves `path` as it was. The temporary file keeps the extension of `path`, because
    matplotlib and OpenCV choose the format by it.

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
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".partial-", suffix=path.suffix)
        os.close(handle)
        yield Path(temporary)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; "
                         "choose another folder or free some space") from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


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


def classes_beside(path):
    """Return the lines of ``classes.txt`` beside a file or in the folder above, as training writes it; None without."""
    for folder in (Path(path).parent, Path(path).parent.parent):
        if (folder / "classes.txt").is_file():
            return (folder / "classes.txt").read_text().splitlines()
    return None


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
