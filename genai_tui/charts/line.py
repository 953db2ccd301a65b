"""The live line chart: any number of series against steps, repainted where it has changed."""

from collections.abc import Sequence
from typing import ClassVar, cast

from rich.style import Style
from textual import events
from textual.app import App
from textual.color import Color
from textual.content import Content
from textual.reactive import reactive

from genai_tui.charts.canvas import Row
from genai_tui.charts.palette import ALERT, AXIS, GRID, MARK, MUTED, TEXT, series_colour
from genai_tui.charts.plot import Plot, Unit, View
from genai_tui.charts.rows import RowsWidget
from genai_tui.charts.series import Mark, Series, plain

__all__ = ["LineChart", "Mark", "Series"]

_COMPONENTS = {
    TEXT: "line-chart--text",
    MUTED: "line-chart--muted",
    AXIS: "line-chart--axis",
    GRID: "line-chart--grid",
    MARK: "line-chart--mark",
    ALERT: "line-chart--alert",
}
_FAINT = 0.4


class LineChart(RowsWidget):
    """Series as braille lines, with axes, a legend of last values, marks, a readout at the mouse.

    `log_y` draws the y axis logarithmically; values that are not positive are gaps.
    `x_range` shows just that part (start < stop); None shows all there is.
    `x_unit` says how x is written: as numbers, durations or times of the day, from seconds.
    `x_hint` says where x is expected to end, so that the axis need not grow.
    `cursor` is the x whose values the legend shows; None shows the last ones. `pointer` is where
    the mouse is, and goes before it.
    `unfolded` gives every series of the legend a place of its own, with the smoothed value.
    Where the user wants no colours (NO_COLOR), lines are told by their dashes.
    """

    DEFAULT_CSS = """
    LineChart {
        height: 16;
        border: round $foreground 30%;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $foreground 70%;
        & > .line-chart--text { color: $foreground; }
        & > .line-chart--muted { color: $foreground 70%; }
        & > .line-chart--axis { color: $foreground 30%; }
        & > .line-chart--grid { color: $foreground 30%; }
        & > .line-chart--mark { color: $text-success; }
        & > .line-chart--alert { color: $text-error; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = set(_COMPONENTS.values())

    log_y: reactive[bool] = reactive(False, repaint=False)
    x_unit: reactive[Unit] = reactive("number", repaint=False)
    x_range: reactive[tuple[float, float] | None] = reactive(None, repaint=False)
    x_hint: reactive[float | None] = reactive(None, repaint=False)
    cursor: reactive[float | None] = reactive(None, repaint=False)
    unfolded: reactive[bool] = reactive(False, repaint=False)
    pointer: reactive[float | None] = reactive(None, repaint=False)

    def __init__(
        self,
        title: str = "",
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.border_title = Content(plain(title))
        self._series: tuple[Series, ...] = ()
        self._marks: tuple[Mark, ...] = ()
        self._plot = Plot()

    def show(self, series: Sequence[Series], marks: Sequence[Mark] = ()) -> None:
        """Show these from now on, in this order of colours; cheap if little has changed."""
        self._series, self._marks = tuple(series), tuple(marks)
        self.redraw()

    def picture(self, width: int, height: int) -> list[Row]:
        """The legend, the plot and the x axis."""
        view = View(
            log_y=self.log_y,
            x_unit=self.x_unit,
            x_range=self.x_range,
            x_hint=self.x_hint,
            cursor=self.cursor if self.pointer is None else self.pointer,
            unfolded=self.unfolded,
            mono=self.is_attached and cast(App[object], self.app).no_color,
        )
        return self._plot.rows(self._series, self._marks, view, width, height)

    @property
    def dot(self) -> float | None:
        """How much x is in a dot column; None while nothing is drawn."""
        frame = self._plot.frame
        return None if frame is None else (frame.x.high - frame.x.low) / max(frame.dots - 1, 1)

    def ink_style(self, ink: int) -> Style:
        """Theme colours for text and axes, the palette for series; faint is near the background."""
        if ink in _COMPONENTS:
            return self.get_component_rich_style(_COMPONENTS[ink])
        dark = self.has_pseudo_class("dark")
        colour, faint = series_colour(ink, dark=dark)
        background = self.background_colors[1]
        solid = Color.parse("#000000" if dark else "#FFFFFF") if background.ansi else background
        shown = solid.blend(Color.parse(colour), _FAINT if faint else 1.0)
        return Style(color=shown.rich_color, bgcolor=background.rich_color)

    def watch_log_y(self, log_y: bool) -> None:
        """Say so, as the curve alone would mislead."""
        self.border_subtitle = "log" if log_y else None
        self.redraw()

    def validate_x_range(self, x_range: tuple[float, float] | None) -> tuple[float, float] | None:
        """Refuse an empty range."""
        if x_range is not None and not x_range[0] < x_range[1]:
            raise ValueError(f"x_range must go from a number to a larger one, not {x_range}")
        return x_range

    def watch_x_unit(self) -> None:
        """Write the axis differently."""
        self.redraw()

    def watch_x_range(self) -> None:
        """Draw another part."""
        self.redraw()

    def watch_x_hint(self) -> None:
        """The axis may end elsewhere."""
        self.redraw()

    def watch_cursor(self) -> None:
        """Move the line and read the values there."""
        self.redraw()

    def watch_unfolded(self) -> None:
        """Make room for the legend, or take it back."""
        self.redraw()

    def watch_pointer(self) -> None:
        """Read the values at the mouse."""
        self.redraw()

    def x_at(self, event: events.MouseEvent) -> float | None:
        """The x at the mouse; None outside of the plot."""
        offset, frame = event.get_content_offset(self), self._plot.frame
        if offset is None or frame is None or offset.x < frame.gutter:
            return None
        return frame.x_at(offset.x - frame.gutter)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Read values where the mouse is, within the plot."""
        self.pointer = self.x_at(event)

    def on_leave(self) -> None:
        """Show the last values again."""
        self.pointer = None
