"""What the command line tools share: how they end, what they print, how they show progress."""

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
import time

from tqdm import tqdm

from .reading import MORE_DESCRIPTORS, InputError, wants_descriptors

__all__ = ["Parser", "run", "open_log", "progress", "table"]


BEAT, BEAT_SECONDS = "a process of this training runs", 5  # the line, and how often it is printed
BEAT_WANTED = "ETINYNET_BEAT"  # in the environment of the processes of a launcher that reads these lines


def beat():
    """Print a line every few seconds from now on, so that a launcher sees when this process has been stopped."""
    def go_on():
        while True:
            print(BEAT, flush=True)
            time.sleep(BEAT_SECONDS)

    if os.environ.get(BEAT_WANTED):
        threading.Thread(target=go_on, daemon=True).start()


class Parser(argparse.ArgumentParser):
    """A parser of flags whose complaint is one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (--help lists the flags)\n")

    def _print_message(self, message, file=None):
        print(message or "", end="", file=file or sys.stderr)  # argparse's own is silent about a full disk


def run(main):
    """Call `main()` and end the process as a well-behaved command does.

    A user's mistake (`InputError`) is one line on standard error and exit status 2, and so are too low a limit on open
    files and a standard output that is closed or on a full disk; Ctrl-C is exit status 130; a closed pipe
    (`tool | head`) is silent. Characters that a terminal does not have are printed as escapes. Anything else is a
    defect of this package and keeps its traceback.
    """
    name = os.path.basename(sys.argv[0])
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    try:
        if sys.stdout is None:  # the first file that is opened would take its place, and get what libraries print
            sys.stdout = open(os.devnull, "w")
            raise InputError("standard output is closed; give it a file or /dev/null")
        if sys.stderr is sys.__stderr__:  # descriptor 2 is the libraries': it is diverted while pictures are decoded
            sys.stderr = open(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        status = main()
    except InputError as error:
        status = _complain(name, f"error: {error}", 2)
    except KeyboardInterrupt:
        status = _complain(name, "interrupted", 128 + signal.SIGINT)
    except SystemExit as ended:
        status = ended.code
    except OSError as error:
        if wants_descriptors(error):
            status = _complain(name, f"error: {error}; {MORE_DESCRIPTORS}", 2)
        else:
            status = _unwritable(name, error)
    try:
        sys.stdout.flush()
    except OSError as error:
        status = status or _unwritable(name, error)
        # The interpreter would complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _complain(name, message, status):
    with contextlib.suppress(OSError):
        print(f"{name}: {message}", file=sys.stderr, flush=True)
    return status


def _unwritable(name, error):
    """Say in a line, but for a closed pipe, that standard output cannot be written, and return the status.

    An error of another file is raised again.
    """
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    full = errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF
    if error.filename is not None or error.errno not in full:
        raise error
    return _complain(name, f"error: cannot write to standard output: {error.strerror}; free some space", 2)


@contextlib.contextmanager
def open_log(path=None):
    """Yield a function that prints a line, and appends it to the file at `path` if there is one.

    Raises
    ------
    InputError
        If the file cannot be written, at first or later.
    """
    with contextlib.ExitStack() as stack:
        # Unbuffered: what a full disk refuses is not tried again when the file is closed.
        with _log_file(path):
            file = stack.enter_context(open(path, "ab", buffering=0)) if path else None

        def log(line):
            print(line, flush=True)
            if file:
                with _log_file(path):
                    left = line.encode(errors="backslashreplace") + b"\n"
                    while left:  # the last room of a disk takes a part
                        left = left[file.write(left):]

        yield log


@contextlib.contextmanager
def _log_file(path):
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another log file") from error


def progress(iterable=None, **options):
    """A tqdm bar on a terminal, nothing where standard error is a file or a pipe."""
    return tqdm(iterable, disable=not sys.stderr.isatty(), leave=False, dynamic_ncols=True, **options)


def table(header, rows):
    """Format `rows` below `header` as a Markdown table with aligned columns.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequences
        Cells are shown with `str`; numbers are set flush right.

    Returns
    -------
    str
        Lines without a trailing newline.
    """
    rows = [list(row) for row in rows]
    texts = [[str(cell) for cell in row] for row in [list(header)] + rows]
    widths = [max(map(len, column)) for column in zip(*texts)]
    right = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(widths))]

    def line(cells):
        return "| " + " | ".join(c.rjust(w) if r else c.ljust(w)
                                 for c, w, r in zip(cells, widths, right)) + " |"

    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right)) + "|"
    return "\n".join([line(texts[0]), rule] + [line(cells) for cells in texts[1:]])


def _is_number(cell):
    text = str(cell).replace(",", "").strip()
    if text in ("", "-"):
        return True
    try:
        float(text.rstrip("%"))
        return True
    except ValueError:
        return False
