"""What the command line tools share: how they end, what they print, how they show progress."""

import argparse
import contextlib
import os
import signal
import sys
import threading
import time

from tqdm import tqdm

from .files import InputError

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


def run(main):
    """Call `main()` and end the process as a well-behaved command does.

    A user's mistake (`InputError`) is one line on standard error and exit status 2; Ctrl-C is
    exit status 130; a closed pipe (`tool | head`) is silent. Anything else is a defect of this
    package and keeps its traceback.
    """
    name = os.path.basename(sys.argv[0])
    try:
        status = main()
        sys.stdout.flush()
        sys.exit(status)
    except InputError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # The interpreter would complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@contextlib.contextmanager
def open_log(path=None):
    """Yield a function that prints a line, and appends it to the file at `path` if there is one.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        file = open(path, "a") if path else None
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another log file") from error

    def log(line):
        for stream in filter(None, (sys.stdout, file)):
            print(line, file=stream, flush=True)

    with file or contextlib.nullcontext():
        yield log


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
