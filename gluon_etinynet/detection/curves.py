"""Precision over recall of a detector, as a picture and as a table."""

import math
from pathlib import Path

import numpy as np

from ..files import atomic_path, write_csv
from ..training.curves import new_figure

__all__ = ["write_precision_recall"]

COLUMNS = 5
GRID = np.linspace(0, 1, 101)  # recalls of the table


def write_precision_recall(save_dir, curves, percent):
    """Write ``precision_recall.csv`` and ``precision_recall.png``, a panel for each class that occurs.

    Parameters
    ----------
    save_dir : str or Path
    curves : dict from str to (recall, precision)
        As `average_precisions` fills it: after each detection, the best first.
    percent : dict from str to float
        Average precision of each class, for the titles.
    """
    best = {name: [_at_least(recall, precision, at) for at in GRID] for name, (recall, precision) in curves.items()}
    write_csv(Path(save_dir) / "precision_recall.csv", ["recall", *best],
              [[f"{at:.2f}", *(f"{of[index]:.4f}" for of in best.values())] for index, at in enumerate(GRID)])
    columns = min(COLUMNS, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure = new_figure(2.2 * columns + 0.4, 2.1 * rows + 0.4)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (name, (recall, precision)) in zip(panels.flat, curves.items()):
        axes.plot(recall, precision, color="0.7", linewidth=1)
        axes.plot(GRID, best[name], color="C0")
        axes.set_title(f"{name}: AP {percent[name]:.1f} %", fontsize=9)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    for axes, above in zip(panels.flat[len(curves):], panels.flat[len(curves) - columns:]):
        axes.set_axis_off()
        above.tick_params(labelbottom=True)
    figure.supxlabel("recall", fontsize=10)
    figure.supylabel("precision; in blue the best from there on", fontsize=10)
    with atomic_path(Path(save_dir) / "precision_recall.png") as temporary:
        figure.savefig(temporary, dpi=120)


def _at_least(recall, precision, at):
    """The best precision at a recall of `at` or more, of which VOC's average precision is the mean."""
    reached = np.nan_to_num(precision)[recall >= at]
    return float(reached.max()) if len(reached) else 0.0
