"""Plots as SVG: a logarithmic axis each way, one line a series, no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 460
HEIGHT: Final = 300
LEFT, TOP, RIGHT, BOTTOM = 62, 50, 14, 92
COLORS: Final = ("#1f6fb4", "#d1495b", "#3d8b4f", "#8a5fbf")
FONT: Final = 'font-family="sans-serif" font-size="12"'


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    points: Sequence[tuple[float, float]]
    """All above zero."""


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    unit: str
    series: Sequence[Series]


def drawn(title: str, plots: Sequence[Plot], across: str = "agents") -> str:
    """The plots side by side."""
    width = WIDTH * len(plots)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 10}" {FONT}>',
        f'<rect width="{width}" height="{HEIGHT + 10}" fill="white"/>',
        f'<text x="{width / 2}" y="18" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
    ]
    for number, plot in enumerate(plots):
        out += [f'<g transform="translate({number * WIDTH} 10)">', *_plot(plot, across), "</g>"]
    return "\n".join([*out, "</svg>", ""])


def _plot(plot: Plot, across: str) -> list[str]:
    columns = sorted({x for series in plot.series for x, _ in series.points})
    values = [y for series in plot.series for _, y in series.points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    first, last = math.log(columns[0]), math.log(columns[-1])

    def at(x: float, y: float) -> tuple[float, float]:
        share = (math.log(x) - first) / (last - first) if last > first else 0.5
        up = (math.log10(y) - low) / (high - low)
        return LEFT + share * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    out = [f'<text x="{WIDTH / 2}" y="{TOP - 14}" text-anchor="middle">{escape(f"{plot.title}, {plot.unit}")}</text>']
    for power in range(low, high + 1):
        _, y = at(columns[0], 10.0**power)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for column in columns:
        x, _ = at(column, 10.0**low)
        out.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{column:g}</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - BOTTOM + 31}" text-anchor="end">{escape(across)}</text>')
    for number, series in enumerate(plot.series):
        color = COLORS[number % len(COLORS)]
        line = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in series.points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        for x, y in (at(*point) for point in series.points):
            out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>')
        y = HEIGHT - BOTTOM + 44 + 15 * number
        out.append(f'<path d="M{LEFT} {y - 4}h18" stroke="{color}" stroke-width="2"/>')
        out.append(f'<text x="{LEFT + 24}" y="{y}">{escape(series.name)}</text>')
    return out
