# SPDX-License-Identifier: Apache-2.0
"""A plot as SVG: lines with points at the medians and bars from the least to the most."""
import dataclasses
import html
import math

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 28, 44
# Told apart without colour by the points' shapes.
COLOURS = ("#0b62a4", "#c1440e", "#3a7d2c", "#7a4fa3", "#8a6d00")
DIVISIONS = 5
MARK = 4  # half of a point's size


@dataclasses.dataclass
class Line:
    name: str
    colour: int  # the series's place among all, so that it looks the same in every plot
    points: list  # (x, median, least, most)


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def linear_ticks(most):
    """From 0 to at least `most`, in steps of 1, 2 or 5 times a power of ten."""
    rough = max(most, 1e-9) / DIVISIONS
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [i * step for i in range(math.ceil(most / step - 1e-9) + 1)] if most > 0 else [0.0, step]


def log_ticks(least, most):
    """Powers of ten around all values."""
    first = math.floor(math.log10(least))
    last = max(math.ceil(math.log10(most)), first + 1)
    return [10.0 ** i for i in range(first, last + 1)]


class Axes:
    """Where a value is on the paper. x: numbers to scale, anything else as categories."""

    def __init__(self, xs, values, log):
        self.xs = list(xs)
        self.numeric = all(isinstance(x, (int, float)) for x in self.xs) and len(self.xs) > 1
        # A value of 0 has no logarithm.
        self.log = log and min(values) > 0
        self.ticks = log_ticks(min(values), max(values)) if self.log else linear_ticks(max(values))

    def x(self, value):
        room = WIDTH - LEFT - RIGHT
        if self.numeric:
            low, high = min(self.xs), max(self.xs)
            return LEFT + room * (0.04 + 0.92 * (value - low) / (high - low))
        return LEFT + room * (self.xs.index(value) + 0.5) / len(self.xs)

    def y(self, value):
        scale = math.log10 if self.log else float
        low, high = scale(self.ticks[0]), scale(self.ticks[-1])
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (scale(value) - low) / (high - low)


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{html.escape(words)}</text>'


def segment(x1, y1, x2, y2, kind):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def mark(x, y, colour, title):
    left, right, top, bottom = x - MARK, x + MARK, y - MARK, y + MARK
    corners = (
        ((left, top), (right, top), (right, bottom), (left, bottom)),
        ((x, top), (right, bottom), (left, bottom)),
        ((x, top), (right, y), (x, bottom), (left, y)),
        ((left, top), (right, top), (x, bottom)),
        ((left, top), (x, y), (right, top), (right, bottom), (left, bottom)),
    )[colour % len(COLOURS)]
    named = f"<title>{html.escape(title)}</title>" if title else ""
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in corners)
    return f'<polygon points="{points}" fill="{COLOURS[colour % len(COLOURS)]}">{named}</polygon>'


def frame(axes, x_axis, y_axis):
    parts = []
    for tick in axes.ticks:
        y = axes.y(tick)
        parts.append(segment(LEFT, y, WIDTH - RIGHT, y, "grid"))
        parts.append(text(LEFT - 6, y + 4, number(tick), "end"))
    parts.append(segment(LEFT, TOP, LEFT, HEIGHT - BOTTOM, "axis"))
    parts.append(segment(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"))
    for x in axes.xs:
        parts.append(segment(axes.x(x), HEIGHT - BOTTOM, axes.x(x), HEIGHT - BOTTOM + 4, "axis"))
        parts.append(text(axes.x(x), HEIGHT - BOTTOM + 17, str(x)))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_axis))
    parts.append(text(LEFT, TOP - 12, y_axis + (" (logarithmic)" if axes.log else ""), "start"))
    return parts


def draw(line, axes, unit):
    colour = COLOURS[line.colour % len(COLOURS)]
    parts = []
    if axes.numeric and len(line.points) > 1:
        path = " ".join(f"{axes.x(x):.1f},{axes.y(median):.1f}" for x, median, _, _ in line.points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>')
    for x, median, least, most in line.points:
        # Categories have no line between them: the series stand beside each other.
        at = axes.x(x) + (0 if axes.numeric else (line.colour - 2) * 14)
        parts.append(f'<line class="range" stroke="{colour}" x1="{at:.1f}" y1="{axes.y(least):.1f}" '
                     f'x2="{at:.1f}" y2="{axes.y(most):.1f}"/>')
        parts.append(mark(at, axes.y(median), line.colour,
                          f"{line.name}, {x}: {number(median)} {unit} ({number(least)} to {number(most)})"))
    return parts


def plot(x_axis, y_axis, unit, xs, lines, log=False):
    """The SVG element, or a paragraph where nothing was measured."""
    values = [value for line in lines for point in line.points for value in point[1:]]
    if not values:
        return "<p>Nothing was measured.</p>"
    axes = Axes(xs, values, log)
    parts = frame(axes, x_axis, f"{y_axis} ({unit})")
    for line in lines:
        parts += draw(line, axes, unit)
    label = html.escape(f"{y_axis} ({unit}) against {x_axis}")
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">\n' + "\n".join(parts)
            + "\n</svg>")


def key(colour):
    """The sign of a series, for a legend."""
    line = f'<line stroke="{COLOURS[colour % len(COLOURS)]}" x1="0" y1="6" x2="24" y2="6"/>'
    return f'<svg class="key" viewBox="0 0 24 12" width="24" height="12">{line}{mark(12, 6, colour, "")}</svg>'
