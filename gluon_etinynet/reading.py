"""Reading what users give: files, folders and text, and the one error that bad input raises.

Standard library only: all of the package stands on it.
"""

import contextlib
import errno
import json
import os
import stat
from pathlib import Path

__all__ = ["LARGEST", "InputError", "parsing", "wants_descriptors", "MORE_DESCRIPTORS", "is_file", "is_folder",
           "expand", "list_folder", "open_file", "read_bytes", "read_text", "read_lines", "parse_json", "read_json",
           "read_record", "read_classes", "classes_beside"]

# Bytes of a file that is read whole; of text; of a tree, JSON or XML, which takes up to 60 times as much when parsed.
LARGEST, LARGEST_TEXT, LARGEST_TREE = 1 << 31, 1 << 27, 1 << 24
MORE_DESCRIPTORS = "allow more open files (ulimit -n)"
DIGITS = 40  # of a number in JSON; older Pythons take hours over a million of them


class InputError(ValueError):
    """Input that a user can mend: the message is one line naming the file and the remedy.

    The command line tools print it without a traceback and exit with status 2. Line breaks and control
    characters, which names and contents of files may hold, are escaped.
    """

    def __init__(self, message):
        super().__init__("".join(each if each.isprintable() else each.encode("unicode_escape").decode()
                                 for each in str(message)))


@contextlib.contextmanager
def parsing(path, remedy, wrong=None):
    """Turn whatever parsing a file raises within the block into an InputError that names the file.

    A damaged or crafted file makes parsers raise nearly anything: TypeError, OverflowError, RecursionError,
    MemoryError, errors of zipfile, zlib, struct and OpenCV. The block holds the parsing alone, so that
    errors elsewhere stay visible. An InputError passes as it is.

    Parameters
    ----------
    path : str or Path
    remedy : str
        What the message ends with.
    wrong : str, optional
        What is said of the file instead of "cannot read", such as "is damaged".
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        kind = "" if type(error) is ValueError else type(error).__name__
        reason = ": ".join(filter(None, [kind, str(getattr(error, "err", None) or error).strip()[:200]]))
        said = f"{path} {wrong} ({reason})" if wrong else f"cannot read {path}: {reason}"
        raise InputError(f"{said}; {remedy}") from error


def wants_descriptors(error):
    """Whether an OSError says that the process, or the system, has too many open files."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def _cannot_read(path, error, remedy=""):
    if isinstance(error, OSError) and wants_descriptors(error):
        remedy = MORE_DESCRIPTORS
    elif isinstance(error, PermissionError):
        remedy = "let this user read it"  # making it again, as is said of other faults, would not help
    return InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}" + (remedy and f"; {remedy}"))


def is_file(path):
    """Whether there is a regular file at `path`; InputError where that cannot be told, as without permission."""
    return stat.S_ISREG(_mode(path))


def is_folder(path):
    """Whether there is a folder at `path`; errors as of `is_file`."""
    return stat.S_ISDIR(_mode(path))


def _mode(path):
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise _cannot_read(path, error) from error


def expand(path):
    """Replace ``~`` by the home folder, and ``~/.mxnet`` by the environment's MXNET_HOME where that is set.

    Raises
    ------
    InputError
        If there is no home folder.
    """
    path, home = Path(path), os.environ.get("MXNET_HOME")
    if home and path.parts[:2] == ("~", ".mxnet"):
        return Path(home, *path.parts[2:])
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise InputError(f"cannot find the home folder that {path} begins with; set HOME, or MXNET_HOME "
                         "to the folder to use for ~/.mxnet") from error


def list_folder(folder):
    """List what is in a folder, sorted; names that begin with a dot are left out, as ``ls`` does.

    Those are no user's data but Jupyter's checkpoints, macOS's resource forks, or a half-written file.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If it does not exist, is no folder, or cannot be read.
    """
    try:
        return sorted(Path(folder, name) for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError as error:
        raise InputError(f"{folder} is not a folder: it does not exist; name one that does") from error
    except NotADirectoryError as error:
        raise InputError(f"{folder} is not a folder; name one") from error
    except (OSError, ValueError) as error:
        raise _cannot_read(folder, error) from error


@contextlib.contextmanager
def open_file(path, limit=None, remedy=""):
    """Open a user's file for reading bytes.

    Parameters
    ----------
    path : str or Path
    limit : int, optional
        Bytes above which it is refused.
    remedy : str
        What the message ends with.

    Raises
    ------
    InputError
        If it cannot be opened, is too large, or no regular file: devices and pipes may have no end.
    """
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is a device or a pipe and no regular file")
        if limit is not None and found.st_size > limit:
            raise OSError(f"it has {found.st_size} bytes, more than the {limit} that such a file may have")
        file = open(path, "rb")
    except (OSError, ValueError) as error:
        raise _cannot_read(path, error, remedy) from error
    with file:
        yield file


def read_bytes(path, limit=LARGEST, remedy=""):
    """Read a user's file whole; parameters and errors as of `open_file`."""
    with open_file(path, limit, remedy) as file:
        try:
            return file.read(os.fstat(file.fileno()).st_size)  # the buffer is made at once: not of `limit`
        except OSError as error:
            raise _cannot_read(path, error, remedy) from error


def read_text(path, limit=LARGEST_TEXT, remedy=""):
    r"""Read a user's text: UTF-8, with or without the mark at its beginning, and any ends of lines (made ``\n``).

    Parameters, errors
    ------------------
    As of `open_file`; and InputError if it is no such text, which says so of UTF-16.
    """
    content = read_bytes(path, limit, remedy)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:200]:
        raise InputError(f"cannot read {path}: it is UTF-16 or no text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"cannot read {path}: byte {error.start} is not UTF-8; save it as UTF-8") from error


def read_lines(path, remedy=""):
    """Read the lines of a user's text without the spaces around them, empty ones left out; errors as of `read_text`."""
    return [line.strip() for line in read_text(path, remedy=remedy).split("\n") if line.strip()]


def parse_json(text):
    """As `json.loads`, of text or bytes; ValueError for a number of more digits than anything here has."""
    def whole(digits):
        if len(digits) > DIGITS:
            raise ValueError(f"a number in it has {len(digits)} digits")
        return int(digits)

    return json.loads(text, parse_int=whole)


def read_json(path, remedy, **kinds):
    """Read a JSON file.

    Parameters
    ----------
    path : str or Path
    remedy : str
    **kinds
        Names that must be in it, and the type that each value has.

    Raises
    ------
    InputError
        If it cannot be read, is no JSON, or has not those contents.
    """
    content = read_bytes(path, LARGEST_TREE, remedy)
    with parsing(path, remedy, "is damaged"):
        content = parse_json(content)
        if kinds and not isinstance(content, dict):
            raise ValueError("it holds no object")
        for name, kind in kinds.items():
            if type(content.get(name)) is not kind:
                raise ValueError(f"{name} is missing or of another kind")
    return content


def read_record(path, settings, **kinds):
    """Read what an earlier run has left, so that it can be taken up again.

    Parameters
    ----------
    path : str or Path
        JSON with "settings" in it.
    settings : dict
        Those of this run, ready for JSON.
    **kinds
        What else it must hold, as of `read_json`.

    Returns
    -------
    dict or None
        None if there is no such file.

    Raises
    ------
    InputError
        If it is damaged, or of a run with other settings; names the first that differs.
    """
    if not _mode(path):
        return None
    record = read_json(path, "delete it to begin again", settings=dict, **kinds)
    there = record["settings"]
    for name in {**settings, **there}:
        if settings.get(name) != there.get(name):
            raise InputError(f"{path} belongs to a run with other settings: {name} was {there.get(name)}, now it is "
                             f"{settings.get(name)}; choose another folder, or delete it to begin again")
    return record


def read_classes(path):
    """Return the names of classes in a file, one a line; None if there is no such file."""
    return read_lines(path) if is_file(path) else None


def classes_beside(path):
    """Return the names of ``classes.txt`` beside a file or in the folder above, as training writes it; None without."""
    beside, above = (read_classes(folder / "classes.txt") for folder in (Path(path).parent, Path(path).parent.parent))
    return above if beside is None else beside
