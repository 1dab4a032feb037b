"""The medians as one SVG picture: a panel for each figure, a bar for each system, on a logarithmic scale. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from bench.work.report import FIRST, Medians, number

PANELS: Sequence[tuple[str, str]] = (
    ("w1_batched", "W1 first push, documents/s (more is better)"),
    ("w6_rate", "W1 one by one over 32 connections, writes/s (more is better)"),
    ("w2", "W2 fresh pull, documents/s (more is better)"),
    ("w2_bytes", "W2 bytes a document (less is better)"),
    ("w3_ms", "W3 nothing to do, ms (less is better)"),
    ("w4_ms", "W4 changes on each side, ms (less is better)"),
    ("w5_lost", "W5 edits lost, % (less is better)"),
    ("w7_p50", "W7 to a second device, ms (less is better)"),
)
BARE = frozenset({"motor", "Starlette + motor", "Starlette echo"})
OURS, OTHERS, BARE_COLOUR = "#1f6fb2", "#d98032", "#9a9a9a"
WIDTH, LABEL, BAR, GAP, HEAD = 560, 190, 14, 5, 34


def plot(found: Medians) -> str:
    """SVG text. Systems whose name begins with FIRST are ours."""
    panels = [(title, bars) for name, title in PANELS if (bars := _bars(found, name))]
    rows: list[list[tuple[str, list[tuple[str, float]]]]] = [panels[i : i + 2] for i in range(0, len(panels), 2)]
    parts: list[str] = []
    top = 14.0
    for row in rows:
        for column, (title, bars) in enumerate(row):
            parts += _panel(title, bars, 14 + column * (WIDTH + 20), top)
        top += HEAD + max(len(bars) for _, bars in row) * (BAR + GAP) + 18
    width = 2 * WIDTH + 48
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top:.0f}" width="{width}" '
        f'font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f'<rect width="{width}" height="{top:.0f}" fill="white"/>', *parts, "</svg>", ""])


def _bars(found: Medians, name: str) -> list[tuple[str, float]]:
    if name != "w5_lost":
        return [(column, figures[name]) for column, figures in found.items() if name in figures]
    return [
        (f"{column}, {way}", 100 * figures[figure] / figures[f"w5_made {way}"])
        for column, figures in found.items()
        for figure in figures
        if figure.startswith("w5_lost ") and figures[f"w5_made {(way := figure.removeprefix('w5_lost '))}"]
    ]


def _panel(title: str, bars: list[tuple[str, float]], left: float, top: float) -> Iterator[str]:
    yield f'<text x="{left}" y="{top + 14:.0f}" font-weight="bold" fill="#222">{escape(title)}</text>'
    shown = [value for _, value in bars if value > 0]
    low, high = (math.log10(min(shown)) - 0.4, math.log10(max(shown))) if shown else (0.0, 1.0)
    room = WIDTH - LABEL - 70
    for index, (label, value) in enumerate(bars):
        y = top + HEAD - 8 + index * (BAR + GAP)
        length = room * (math.log10(value) - low) / max(high - low, 0.01) if value > 0 else 0.0
        colour = OURS if label.startswith(FIRST) else BARE_COLOUR if label in BARE else OTHERS
        base = left + LABEL
        size = 10 if len(label) > 28 else 12
        yield (
            f'<text x="{base - 6}" y="{y + 11:.0f}" text-anchor="end" font-size="{size}" fill="#222">'
            f"{escape(label)}</text>"
        )
        yield f'<rect x="{base}" y="{y:.0f}" width="{max(length, 1):.1f}" height="{BAR}" fill="{colour}"/>'
        yield f'<text x="{base + max(length, 1) + 5:.1f}" y="{y + 11:.0f}" fill="#222">{number(value)}</text>'
