"""Drawings as SVG that the page's style colours: a mark of series n has the class ``s`` and its number.

A drawing is 400 wide, about as wide as a phone, where its text is read at its own size.
"""

import math
from html import escape

__all__ = ["LABEL", "LIMIT", "ROW", "WIDTH", "Axes", "across", "bars", "drawing", "legend", "line", "rectangle", "text"]

WIDTH, ROW, LABEL, LIMIT = 400, 26, 128, 16


def drawing(title, height, parts, width=WIDTH):
    """An <svg> that says what it shows to those who do not see it."""
    return (f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{escape(title)}">'
            f'<title>{escape(title)}</title>{"".join(parts)}</svg>')


def text(x, y, content, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(str(content))}</text>'


def line(x0, y0, x1, y1, kind="axis"):
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" class="{kind}"/>'


def rectangle(x, y, width, height, kind, hint="", opacity=1):
    inner = f"<title>{escape(hint)}</title>" if hint else ""
    faint = f' fill-opacity="{opacity:.3f}"' if opacity < 1 else ""
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
            f'class="{kind}"{faint}>{inner}</rect>')


def legend(names, y=10, x=0):
    """Squares and names of series 1, 2, ... in lines, and the height that they take."""
    parts, at = [], x
    for number, name in enumerate(names, start=1):
        width = 28 + 6.4 * len(name)
        if at > x and at + width > WIDTH:
            at, y = x, y + 18
        parts += [rectangle(at, y - 9, 10, 10, f"s{number}"), text(at + 14, y, name)]
        at += width
    return parts, y + 8


def bars(title, rows, series=(), unit="", limits=(), label=LABEL):
    """Bars lying on their side, each of parts one behind the other.

    Parameters
    ----------
    title : str
    rows : list of (str, list of float)
        Name, and the length of each part.
    series : sequence of str
        What the parts are; nothing is said where they are of one kind.
    unit : str
    limits : sequence of (str, float)
        Lines across: something is not to be longer.
    label : float
        Width of the names.

    Returns
    -------
    str
    """
    head, top = legend(series) if series else ([], 4)
    top += LIMIT * len(limits)
    totals = [sum(parts) for _, parts in rows]
    scale = (WIDTH - label - 62) / max([*totals, *(value for _, value in limits)])
    body = []
    for index, ((name, parts), total) in enumerate(zip(rows, totals)):
        y, x = top + index * ROW, label
        body.append(text(label - 6, y + 16, name, "end"))
        for number, part in enumerate(parts, start=1):
            if part:
                hint = f"{name}{', ' + series[number - 1] if series else ''}: {part:g} {unit}"
                body.append(rectangle(x, y + 4, part * scale, ROW - 9, f"s{number}", hint))
                x += part * scale
        body.append(text(x + 5, y + 16, f"{total:,.6g}" if total else "–", kind="value"))
    bottom = top + ROW * len(rows)
    body += across(limits, lambda value: label + value * scale, top, bottom)
    if unit:
        body.append(text(WIDTH, bottom + 13, unit, "end", "soft"))
    return drawing(title, bottom + 18, head + body)


def across(limits, x_of, top, bottom):
    """Lines across bars, one for each (name, value), their names above one another."""
    parts = []
    for index, (name, value) in enumerate(limits):
        x, level = x_of(value), top - 5 - LIMIT * (len(limits) - 1 - index)
        parts += [line(x, level + 3, x, bottom, "limit"), text(x, level, f"{name} {value:g}", "end", "value")]
    return parts


class Axes:
    """A plane of numbers within a drawing.

    Parameters
    ----------
    across, upwards : (float, float)
        The least and the largest number.
    box : (float, float, float, float)
        Left, top, right and bottom.
    logarithmic : bool
        Of the numbers across.
    """

    def __init__(self, across, upwards, box=(44, 12, 392, 212), logarithmic=False):
        self.across, self.upwards, self.box, self.logarithmic = across, upwards, box, logarithmic

    def x(self, value):
        left, _, right, _ = self.box
        low, high, value = map(math.log, (*self.across, value)) if self.logarithmic else (*self.across, value)
        return left + (value - low) / (high - low) * (right - left)

    def y(self, value):
        _, top, _, bottom = self.box
        low, high = self.upwards
        return bottom - (value - low) / (high - low) * (bottom - top)

    def frame(self, across, upwards, name_across, name_upwards):
        """Both axes, with marks at these numbers and the names of what they are."""
        left, top, right, bottom = self.box
        parts = [line(left, bottom, right, bottom)]
        for value in across:
            parts.append(text(self.x(value), bottom + 15, f"{value:g}", "middle", "soft"))
        for value in upwards:
            parts += [line(left, self.y(value), right, self.y(value), "grid"),
                      text(left - 6, self.y(value) + 4, f"{value:g}", "end", "soft")]
        return [*parts, text((left + right) / 2, bottom + 31, name_across, "middle"),
                text(left - 40, top - 12, name_upwards)]

    def curve(self, points, number):
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return f'<polyline points="{path}" class="l{number}"/>'

    def dot(self, x, y, number, hint="", radius=4.5):
        return (f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius}" class="s{number}">'
                f'<title>{escape(hint)}</title></circle>')

    def column(self, begin, end, value, number, hint=""):
        """A column from 0 up to `value`."""
        return rectangle(self.x(begin), self.y(value), self.x(end) - self.x(begin), self.y(0) - self.y(value),
                         f"s{number}", hint)
