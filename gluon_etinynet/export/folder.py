"""Writing an exported folder: ours may be replaced, another's only with --force."""

import json
from pathlib import Path, PurePosixPath

from ..files import InputError, atomic_path

__all__ = ["write_folder"]


def write_folder(out, files, manifest, tool, force=False):
    """Write `files` below the folder `out`, in place of an earlier export of the same tool.

    Files of the earlier export that the new one lacks are removed; what is not listed in its manifest stays.

    Parameters
    ----------
    out : str or Path
    files : dict from str to str
        Relative path with forward slashes -> text.
    manifest : str
        The one of `files` that is JSON with the folder's maker under "tool" and its paths under "files".
    tool : str
        The maker's name.
    force : bool
        Write into a folder that holds anything else too.

    Raises
    ------
    InputError
        If `out` holds something that is no export of `tool`, and `force` is not given; nothing is
        written then.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; choose a folder")
    earlier = _earlier(out / manifest, tool)
    if earlier is None and out.is_dir() and any(out.iterdir()) and not force:
        raise InputError(f"{out} is not empty and no export of {tool}; choose another folder, "
                         "or write into it with --force")
    # The manifest goes first and comes back last, so that a broken export is never taken for a whole one.
    for path in [manifest] + sorted(set(earlier or ()) - set(files)):
        if (out / path).is_file():
            (out / path).unlink()
    for path in sorted(files, key=lambda p: (p == manifest, p)):
        with atomic_path(out / path) as temporary:
            temporary.write_bytes(files[path].encode())


def _earlier(manifest, tool):
    """Paths of the export that this manifest describes; None if there is none."""
    try:
        content = json.loads(manifest.read_text())
        if content["tool"] != tool:
            return None
        paths = [PurePosixPath(path) for path in content["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [str(path) for path in paths if not path.is_absolute() and ".." not in path.parts]
