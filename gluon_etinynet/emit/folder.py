"""Writing what an emitter made into a folder of its own."""

import os
import shutil
import tempfile
from pathlib import Path

from ..files import InputError

__all__ = ["write_folder"]


def write_folder(folder, texts, is_ours, force=False):
    """Write {path: text} into `folder`, all of it or nothing.

    Everything is written beside `folder` first and then moved into it file by file, so that a full disk
    leaves it as it was. Files that the emitter does not name are left alone.

    Parameters
    ----------
    folder : str or Path
    texts : dict of str to str
        Paths are relative to `folder`.
    is_ours : callable
        Takes the folder; true if an earlier run of the same emitter made it.
    force : bool
        Write even into a folder that holds something else.

    Raises
    ------
    InputError
        If the folder exists, is not empty and not ours, and `force` is not given; or if it cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; choose another folder")
    temporary = None
    try:
        if folder.is_dir() and any(folder.iterdir()) and not force and not is_ours(folder):
            raise InputError(f"{folder} exists and holds other files; choose another folder, "
                             "or --force to write there")
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=str(folder.parent), prefix=".partial-"))
        for path, text in texts.items():
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_text(text)
        for path in texts:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(str(temporary / path), str(folder / path))
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}; "
                         "choose another folder or free some space") from error
    finally:
        if temporary:
            shutil.rmtree(str(temporary), ignore_errors=True)
