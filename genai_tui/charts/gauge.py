"""A small live graph of one measured quantity: utilisation, memory, power, temperature."""

import math
from typing import ClassVar

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.style import Style
from textual.color import Color

from genai_tui.charts.axes import Scale, fitted, step_label
from genai_tui.charts.buckets import Floats, bucket
from genai_tui.charts.canvas import Band, Canvas, Row, stroke
from genai_tui.charts.frame import BRAILLE_DOTS
from genai_tui.charts.palette import MUTED, TEXT
from genai_tui.charts.rows import RowsWidget
from genai_tui.charts.series import plain, shortened

_GRAPH = 100
"""Ink of the lowest row of the graph; those above follow."""


class Gauge(RowsWidget):
    """A title, the last value and, in the rows below (1 to 5 are good), an area over time.

    What is not known is blank in the graph and "–" in the text, never 0. `cursor` is the place of
    the value that is read.
    """

    DEFAULT_CSS = """
    Gauge {
        height: 4;
        & > .gauge--title { color: $foreground 70%; }
        & > .gauge--value { color: $foreground; text-style: bold; }
        & > .gauge--graph { color: $primary; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"gauge--title", "gauge--value", "gauge--graph"}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = self._unit = ""
        self._values: Floats = np.empty(0)
        self._last: float | None = None
        self._bounds: tuple[float, float | None] = 0.0, 100.0
        self._cursor: int | None = None

    def show(
        self,
        title: str,
        values: Floats,
        last: float | None,
        unit: str,
        low: float = 0.0,
        high: float | None = 100.0,
        cursor: int | None = None,
    ) -> None:
        """Show `values` of shape [n], evenly spaced in time, NaN where unknown, and `last` as text.

        The graph reaches from `low` to `high` > low; None fits it to the highest value. `cursor`
        is the index of the value to mark.
        """
        self._title, self._unit = plain(title), plain(unit)
        self._values, self._last, self._bounds = values, last, (low, high)
        self._cursor = cursor
        self.redraw()

    def picture(self, width: int, height: int) -> list[Row]:
        """The text, and the graph from its highest row to its lowest."""
        head = _head(self._title, quantity(self._last, self._unit), width)
        if height < 2:
            return [head]
        canvas = Canvas(width, height - 1)
        canvas.band(_area(self._values, _scale(self._values, *self._bounds), canvas), 0)
        rows = canvas.rows(BRAILLE_DOTS)
        inks = reversed(range(_GRAPH, _GRAPH + len(rows)))
        texts = ["".join(text for text, _ in row) for row in rows]
        return [head, *(self._row(text, ink) for text, ink in zip(texts, inks, strict=True))]

    def _row(self, text: str, ink: int) -> Row:
        """A row of the graph, cut in three where the cursor is."""
        if self._cursor is None or len(self._values) < 2:
            return ((text, ink),)
        place = round(self._cursor / (len(self._values) - 1) * (len(text) - 1))
        here = text[place]
        if here in (" ", "\u2800"):
            here = "│"
        return (text[:place], ink), (here, TEXT), (text[place + 1 :], ink)

    def ink_style(self, ink: int) -> Style:
        """Theme colours; the graph glows towards the top."""
        if ink < _GRAPH:
            return self.get_component_rich_style(f"gauge--{'value' if ink == TEXT else 'title'}")
        style = self.get_component_rich_style("gauge--graph")
        rows = max(self.size.height - 2, 1)
        strength = 0.55 + 0.45 * min((ink - _GRAPH) / rows, 1.0)
        background = self.background_colors[1]
        if style.color is None or background.ansi is not None:
            return style
        shown = background.blend(Color.from_rich_color(style.color), strength)
        return Style(color=shown.rich_color, bgcolor=background.rich_color)


def quantity(value: float | None, unit: str) -> str:
    """A value to three digits with its unit: "87 %", "41.2 GB"; "–" if it is not known."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{step_label(float(f'{value:.3g}'))} {unit}".rstrip()


def _head(title: str, value: str, width: int) -> Row:
    value = set_cell_size(value, min(cell_len(value), width))
    room = max(0, width - cell_len(value) - 1)
    title = shortened(title, room) if room else ""
    return (title, MUTED), (" " * (width - cell_len(title) - cell_len(value)), MUTED), (value, TEXT)


def _scale(values: Floats, low: float, high: float | None) -> Scale:
    if high is not None and high > low:
        return Scale(low, high)
    finite = values[np.isfinite(values)]
    return Scale(low, max(fitted(low, max(float(finite.max(initial=low)), low)).high, low + 1e-9))


def _area(values: Floats, scale: Scale, canvas: Canvas) -> Band:
    """The line through the values, filled down to the bottom."""
    places = np.arange(len(values), dtype=np.float64)
    columns = bucket(places, values, 0.0, max(len(values) - 1.0, 1.0), canvas.columns)
    last = canvas.dots - 1
    line = stroke(
        columns.mapped(lambda v: (1 - scale.position(v)) * last), canvas.columns, last + 1
    )
    filled = line.top <= line.bottom
    return Band(np.where(filled, np.minimum(line.top, last), last + 1), np.where(filled, last, -1))
