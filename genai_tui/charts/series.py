"""What a line chart is given: series and marks, with names and labels that nobody has checked."""

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size

Floats = NDArray[np.float64]

_LONGEST = 200


PAUSES = 100
"""Points at the end of a line that tell how often it gets one."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line: `y` over `x`, two float64 arrays of shape [n], `x` finite and sorted.

    The arrays must not be written to afterwards; to append, pass longer ones (views of a buffer).
    Values of `y` that are not finite are gaps. `smooth`, of the same shape, is drawn in front of
    the raw line, which turns faint. `colour` is a place in the palette; None means the place of
    the series in the chart. Raises ValueError if the shapes differ.
    """

    name: str
    x: Floats
    y: Floats
    smooth: Floats | None = None
    colour: int | None = None

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.x, self.y, self.smooth) if a is not None}
        if shapes != {(len(self.x),)}:
            raise ValueError(f"series {self.name!r}: x, y and smooth must be of one shape [n]")

    def at(self, x: float | None, *, smooth: bool = False) -> float:
        """The raw value that was the newest at `x`, or the last of all; NaN if there was none.

        With `smooth` it is the smoothed one.
        """
        end = len(self.x) if x is None else int(np.searchsorted(self.x, x, "right"))
        values = self.smooth if smooth and self.smooth is not None else self.y
        return float(values[end - 1]) if end else math.nan

    def is_over(self, x: float | None) -> bool:
        """Whether the line ended before `x`: longer ago than twice its longest pause of late."""
        if x is None or len(self.x) < 2:
            return False
        pause = float(np.diff(self.x[-PAUSES:]).max())
        return x - float(self.x[-1]) > 2 * pause


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at `x`, shown on the x axis; `kind` is its class: "error", "checkpoint", ..."""

    x: float
    label: str
    kind: str = ""


def extent(series: Iterable[Series]) -> tuple[float, float] | None:
    """The first and the last x of all series; None without a point."""
    ends = [(float(s.x[0]), float(s.x[-1])) for s in series if len(s.x)]
    return (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """`text` on one line, without control, format or unassigned characters, at most 200 long."""
    kept = (c for c in text[:_LONGEST] if unicodedata.category(c)[0] not in "CZ" or c == " ")
    return "".join(kept)


@lru_cache(maxsize=4096)
def shortened(text: str, cells: int) -> str:
    """`text` in at most `cells` >= 1 cells, without its middle: names differ at their ends."""
    if cell_len(text) <= cells:
        return text
    tail = (cells - 1) // 2
    head = set_cell_size(text, cells - 1 - tail).rstrip()
    return head + "…" + _last(text, tail)


def _last(text: str, cells: int) -> str:
    while cell_len(text) > cells:
        text = text[1:]
    return text
