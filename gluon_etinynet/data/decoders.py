"""Decoding pictures with OpenCV, and hearing what the libraries below it say of a damaged one.

libjpeg, libpng and OpenCV write to standard error, without the picture's name; for libjpeg it is the only place where
it tells of damaged data. NumPy and OpenCV only.
"""

import contextlib
import os
import re
import threading

import cv2
import numpy as np

__all__ = ["decode_and_hear"]

# Some cameras and editors leave a few bytes of padding before the end marker of a JPEG; what libpng warns of are odd
# profiles and bytes that are too many; OpenCV's own lines, in brackets, name its sources.
_HARMLESS = re.compile(r".*\b[1-4] extraneous bytes before marker 0xd9|libpng warning:|\[")


def decode_and_hear(content, flags=cv2.IMREAD_COLOR):
    """Decode an encoded picture without a line on standard error.

    Parameters
    ----------
    content : bytes
    flags : int
        As of `cv2.imdecode`.

    Returns
    -------
    image : numpy.ndarray or None
        As `cv2.imdecode` returns it.
    complaint : str
        The first line that a library said of it, but for what is harmless; empty if there is none.
    """
    image, said = _decode(content, flags, alone=False)
    if said:  # perhaps of a picture that another thread decodes
        image, said = _decode(content, flags, alone=True)
    serious = [line for line in said.splitlines() if line.strip() and not _HARMLESS.match(line)]
    return image, serious[0].strip() if serious else ""


def _decode(content, flags, alone):
    with _standard_error.heard(alone) as said:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags), said()


class _StandardError:
    """Descriptor 2, which leads to a pipe as long as any thread listens."""

    def __init__(self):
        self.changed, self.listening, self.taken = threading.Condition(), 0, False
        self.pipe, self.said = None, b""

    @contextlib.contextmanager
    def heard(self, alone):
        """Yield a function that returns what has been written since; while one thread is `alone`, no other decodes."""
        with self.changed:
            self.changed.wait_for(lambda: not self.taken)
            if alone:
                self.taken = True
                self.changed.wait_for(lambda: not self.listening)
            if not self.listening:
                self._divert()
            self.listening += 1
            begin = len(self._drained())
        try:
            yield lambda: self._drained()[begin:].decode(errors="replace")
        finally:
            with self.changed:
                self.listening -= 1
                self.taken = self.taken and not alone
                if not self.listening:
                    self._restore()
                self.changed.notify_all()

    def _divert(self):
        try:
            self.kept = os.dup(2)
        except OSError:  # it is closed: from now on it leads nowhere, or another file would take its place
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            self.kept = os.dup(2)
        if self.pipe is None:
            self.pipe = os.pipe()
            for end in self.pipe:
                os.set_blocking(end, False)  # what does not fit is lost, and no writer waits
        os.dup2(self.pipe[1], 2)

    def _restore(self):
        self._drained()
        self.said = b""
        os.dup2(self.kept, 2)
        os.close(self.kept)

    def _drained(self):
        with self.changed, contextlib.suppress(BlockingIOError):
            self.said += os.read(self.pipe[0], 1 << 16)
        return self.said


_standard_error = _StandardError()
