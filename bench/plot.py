"""Plots as SVG, no library: lines over two logarithmic axes, bars over one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 460
HEIGHT: Final = 300
LEFT, TOP, RIGHT, BOTTOM = 62, 50, 14, 92
COLORS: Final = ("#1f6fb4", "#d1495b", "#3d8b4f", "#8a5fbf", "#e0912f", "#6b7280", "#7fb2e0", "#222222")
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


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that belong together, each with its series' name."""

    title: str
    bars: Sequence[tuple[str, float]]
    """All above zero."""


def bars(title: str, groups: Sequence[Group]) -> str:
    """Groups below each other, values to the right, logarithmic; a color for each name."""
    names = list(dict.fromkeys(name for group in groups for name, _ in group.bars))
    values = [value for group in groups for _, value in group.bars]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    left, right, thick, gap, top = 130, 820, 9, 10, 60
    width, height = right + 70, top + sum(thick * len(group.bars) + gap for group in groups) + 10

    def at(value: float) -> float:
        return left + (math.log10(value) - low) / (high - low) * (right - left)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {FONT}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{width / 2}" y="16" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
    ]
    x = left
    for name in names:
        out.append(f'<rect x="{x}" y="25" width="10" height="10" fill="{_color(names, name)}"/>')
        out.append(f'<text x="{x + 14}" y="34">{escape(name)}</text>')
        x += 26 + 7 * len(name)
    for power in range(low, high + 1):
        column = at(10.0**power)
        out.append(f'<path d="M{column:.1f} {top - 8}V{height - 8}" stroke="#ddd"/>')
        out.append(f'<text x="{column:.1f}" y="{top - 11}" text-anchor="middle" fill="#666">{10.0**power:g}</text>')
    y = top
    for group in groups:
        middle = y + thick * len(group.bars) / 2 + 4
        out.append(f'<text x="{left - 8}" y="{middle:.1f}" text-anchor="end">{escape(group.title)}</text>')
        for name, value in group.bars:
            long, color = max(1.0, at(value) - left), _color(names, name)
            out.append(f'<rect x="{left}" y="{y}" width="{long:.1f}" height="{thick - 1}" fill="{color}"/>')
            out.append(f'<text x="{left + long + 4:.1f}" y="{y + 8}" font-size="9" fill="#444">{value:.3g}</text>')
            y += thick
        y += gap
    return "\n".join([*out, "</svg>", ""])


def _color(names: Sequence[str], name: str) -> str:
    return COLORS[names.index(name) % len(COLORS)]
