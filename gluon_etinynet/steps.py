"""A chain of commands that make one folder: interrupted, it goes on; what is finished is not done again."""

import contextlib
import shlex
import shutil
import signal
import subprocess
import sys
from collections import namedtuple

from .files import LOCK, PARTIAL, sha256, write_json
from .reading import InputError, is_file, read_record

__all__ = ["Step", "run_steps"]

PATIENCE = 5  # seconds in which an interrupted command ends by itself before it gets a signal

Step = namedtuple("Step", "name command outputs")
Step.__doc__ = "What a step is called, a Python script and its arguments, and the files that it leaves in the folder."


def run_steps(out, steps, settings):
    """Run the steps that are not finished yet; one that runs anew makes those after it run anew.

    The record ``work/steps.json`` in `out` has the settings, and the SHA-256 of what each finished step left: a step
    whose files are gone or changed is not finished.

    Parameters
    ----------
    out : Path
        The folder; made if it is missing.
    steps : iterable of Step
        Taken one by one, each after the one before it has ended.
    settings : dict
        Whatever the steps depend on: JSON values by their names, as they are to stand in a message.

    Raises
    ------
    InputError
        If `out` was begun with other settings or holds something else (nothing is changed then), or a step does not
        leave what it should.
    SystemExit
        With the status of a command that failed.
    KeyboardInterrupt
        On SIGINT and SIGTERM, after the running command has ended.
    """
    record = out / "work" / "steps.json"
    earlier, finished = _begin(out, record, settings), {}
    terminate = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for step in steps:
            if earlier.get(step.name) == _left_by(step, out):
                print(f"{step.name}: finished already", flush=True)
            else:
                earlier = {}
                _call(step)
            finished[step.name] = _left_by(step, out)
            write_json(record, {"settings": settings, "finished": finished})
    finally:
        signal.signal(signal.SIGTERM, terminate)
        if _files(out) == [record]:
            shutil.rmtree(record.parent)  # settings that led to nothing bind nobody
            with contextlib.suppress(OSError):
                out.rmdir()


def _begin(out, record, settings):
    """What is finished, step by step."""
    earlier = read_record(record, settings, finished=dict)
    if earlier is not None:
        return earlier["finished"]
    if is_file(out):
        raise InputError(f"{out} is a file; choose a folder")
    if any(PARTIAL not in str(path) for path in _files(out)):  # a record half written
        raise InputError(f"{out} holds other files; choose another folder")
    write_json(record, {"settings": settings, "finished": {}})
    return {}


def _files(out):
    return [path for path in out.rglob("*") if not path.is_dir() and path.name != LOCK]


def _left_by(step, out):
    return {str(path.relative_to(out)): sha256(path) if path.is_file() else None for path in step.outputs}


def _call(step):
    words = [str(word) for word in step.command]
    print(f"\n{step.name}: python {shlex.join(words)}", flush=True)
    process = subprocess.Popen([sys.executable, *words])
    try:
        status = process.wait()
    except KeyboardInterrupt:
        for stronger in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C has reached the command too, another signal has not
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
                break
            process.send_signal(stronger)
        process.wait()
        raise
    if status:
        sys.exit(status if status > 0 else 128 - status)
    for path in step.outputs:
        if not path.is_file():
            raise InputError(f"{words[0]} left no {path}; remove {path.parent} and start again")
