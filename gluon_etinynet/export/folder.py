"""An exported folder: what it will hold, and writing it. Ours may be replaced, another's only by force."""

import json
from pathlib import Path, PurePosixPath

from ..files import InputError, atomic_path

__all__ = ["Export"]


class Export(dict):
    """The files of a folder to be written: relative path with forward slashes -> text.

    Parameters
    ----------
    files : dict from str to str
    manifest : str
        The one of `files` that is JSON, with the folder's maker under "tool" and all paths under "files".
    """

    def __init__(self, files, manifest):
        super().__init__(files)
        self._manifest = manifest

    @property
    def manifest(self):
        """What the manifest says, as JSON reads it."""
        return json.loads(self[self._manifest])

    def write(self, out, force=False):
        """Write the files below the folder `out`, in place of an earlier export of the same tool.

        Files of the earlier export that the new one lacks are removed; what is not listed in its manifest stays.

        Parameters
        ----------
        out : str or Path
        force : bool
            Write into a folder that holds anything else too.

        Returns
        -------
        Path
            `out`.

        Raises
        ------
        InputError
            If `out` holds something that is no export of the same tool, and `force` is not given; nothing is
            written then.
        """
        out, tool = Path(out), self.manifest["tool"]
        if out.exists() and not out.is_dir():
            raise InputError(f"{out} is a file; choose a folder")
        earlier = _earlier(out / self._manifest, tool)
        if earlier is None and out.is_dir() and any(out.iterdir()) and not force:
            raise InputError(f"{out} is not empty and no export of {tool}; choose another folder, or use force")
        # The manifest goes first and comes back last, so that a broken export is never taken for a whole one.
        for path in [self._manifest, *sorted(set(earlier or ()) - set(self))]:
            if (out / path).is_file():
                (out / path).unlink()
        for path in sorted(self, key=lambda p: (p == self._manifest, p)):
            with atomic_path(out / path) as temporary:
                temporary.write_bytes(self[path].encode())
        return out


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
