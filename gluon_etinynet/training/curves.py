"""What people look at while a network trains: metrics as JSON lines, a picture, a TensorBoard log."""

import json
import os
import socket
import statistics
import struct
import time
from pathlib import Path

from ..files import InputError, atomic_path, unwritable, write_text

__all__ = ["write_metrics", "draw_curves", "new_figure", "tensorboard_log"]


def write_metrics(save_dir, history):
    """Write ``metrics.jsonl``, one line an epoch; what a resumed training does again is not in it twice."""
    write_text(Path(save_dir) / "metrics.jsonl", "".join(json.dumps(row, sort_keys=True) + "\n" for row in history))


def draw_curves(path, history):
    """Draw loss and accuracy, or a detector's mAP, against the epoch, training and validation.

    Parameters
    ----------
    path : str or Path
        Of the picture; its extension names the format.
    history : list of dict
        As `gluon_etinynet.training.train` returns it, one epoch at least.
    """
    figure = new_figure(9, 3.6)
    from matplotlib.ticker import MaxNLocator

    panels = figure.subplots(1, 2)
    curves = [("training_loss", "training", 1), ("validation_loss", "validation", 1)], \
        [("training_accuracy", "training, top-1", 100), ("validation_top1", "validation, top-1", 100),
         ("validation_top5", "validation, top-5", 100), ("validation_map", "validation, mAP", 100)]
    classifies = "training_accuracy" in history[-1]
    labels = ("cross-entropy (nats)", "accuracy (%)") if classifies else ("loss", "mAP (%)")
    for axes, lines, label in zip(panels, curves, labels):
        for key, name, scale in lines:
            points = [(row["epoch"], scale * row[key]) for row in history if key in row]
            if points:
                axes.plot(*zip(*points), label=f"{name}: {points[-1][1]:.4g}", marker="." if len(points) < 40 else None)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=9, title="last epoch", title_fontsize=9)
    # The first epochs of a fresh network can have a validation loss of millions.
    validation = [row["validation_loss"] for row in history if "validation_loss" in row] or [0]
    usual = max([row["training_loss"] for row in history] + [statistics.median(validation)])
    panels[0].set_ylim(0, 1.1 * usual)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def new_figure(width, height):
    """A matplotlib Figure of so many inches to be saved, which needs neither a display nor a home folder."""
    try:
        Path.home()
    except RuntimeError:  # matplotlib cannot be imported then; told of a folder that cannot be, it makes its own
        os.environ.setdefault("MPLCONFIGDIR", os.devnull)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), constrained_layout=True)
    FigureCanvasAgg(figure)
    return figure


def tensorboard_log(folder, first_epoch):
    """Begin a TensorBoard log; points from `first_epoch` on, of an earlier run, are hidden.

    tensorboardX's own writer is a thread, which a full disk ends with a traceback.

    Returns
    -------
    callable
        ``add(epoch, row)`` appends the numbers of a row of the history.

    Raises
    ------
    InputError
        If tensorboardX is not installed, or the log cannot be written, then or later.
    """
    try:
        from tensorboardX.proto.event_pb2 import Event, SessionLog
        from tensorboardX.record_writer import masked_crc32c
        from tensorboardX.summary import scalar
    except ImportError as error:
        raise InputError("a TensorBoard log needs tensorboardX: "
                         "pip install 'gluon_etinynet[tensorboard]'") from error
    path = Path(folder) / f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"

    def append(events):
        content = b""
        for event in events:
            event.wall_time = time.time()
            data = event.SerializeToString()
            length = struct.pack("<Q", len(data))
            content += length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as file:
                file.write(content)
        except OSError as error:
            raise unwritable(path, error) from error

    append([Event(step=first_epoch, file_version="brain.Event:2"),
            Event(step=first_epoch, session_log=SessionLog(status=SessionLog.START))])
    return lambda epoch, row: append(Event(step=epoch, summary=scalar(name, value)) for name, value in row.items())
