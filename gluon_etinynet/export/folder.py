"""An exported folder: what it will hold, and writing it. Ours may be replaced, another's only by force."""

import json
from pathlib import Path

from ..files import InputError, holds_nothing, place_below, sole_writer, staged_files, write_json

__all__ = ["Export", "UNFINISHED"]

UNFINISHED = "unfinished"  # a key of the manifest while files are being replaced


class Export(dict):
    """The files of a folder to be written: relative path with forward slashes -> text, or bytes.

    Parameters
    ----------
    files : dict from str to str or bytes
        In the order in which they are to take their places.
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
        """Write the files below the folder `out`, in place of an earlier export of the same tool, whole or broken.

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
            If `out` holds something that is no export of the same tool, and `force` is not given; if another process
            writes into it; if a symbolic link leads out of it; or if it cannot be written. On a full disk, and in all
            cases but the last, an earlier export stays as it was.
        """
        out, tool = Path(out), self.manifest["tool"]
        if out.exists() and not out.is_dir():
            raise InputError(f"{out} is a file; choose a folder")
        with sole_writer(out):
            earlier = _earlier(out, self._manifest, tool)
            if earlier is None and not holds_nothing(out) and not force:
                raise InputError(f"{out} is not empty and no export of {tool}; choose another folder, or use force")
            superfluous = [path for path in earlier or () if path not in self]
            with staged_files(out, self) as place:
                # Killed from here on, the folder is a broken export of ours, and its manifest tells so.
                write_json(out / self._manifest, {"tool": tool, "files": [*self, *superfluous], UNFINISHED: True})
                for path in self:
                    if path != self._manifest:
                        place(path)
                for path in superfluous:
                    (out / path).unlink()
                place(self._manifest)
        return out


def _earlier(out, manifest, tool):
    """The files below `out` of the export that its manifest describes; None if there is none."""
    try:
        content = json.loads((out / manifest).read_text())
        if content["tool"] != tool:
            return None
        places = {place_below(out, path) for path in content["files"]} - {None}
        return sorted(path for path in places if (out / path).is_file())
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
