"""A chart with axes: what is in sight, where it is read, and the colours of text and lines."""

from typing import ClassVar

from rich.style import Style
from textual import events
from textual.color import Color
from textual.content import Content
from textual.reactive import reactive

from genai_tui.charts.frame import Frame
from genai_tui.charts.palette import ALERT, AXIS, GRID, MARK, MUTED, TEXT, series_colour
from genai_tui.charts.plot import Unit
from genai_tui.charts.rows import RowsWidget
from genai_tui.charts.series import plain

_COMPONENTS = {
    TEXT: "axes-chart--text",
    MUTED: "axes-chart--muted",
    AXIS: "axes-chart--axis",
    GRID: "axes-chart--grid",
    MARK: "axes-chart--mark",
    ALERT: "axes-chart--alert",
}
_FAINT = 0.4


class AxesChart(RowsWidget):
    """Subclasses say what the rows are, and where they have drawn them.

    `log_y` draws logarithmically what is high; `x_range` shows just that part (start < stop); None
    shows all there is. `x_unit` says how x is written: as numbers, durations or times of the day,
    from seconds. `x_hint` says where x is expected to end, so that the axis need not grow. `cursor`
    is the x whose values are read; None reads the last ones. `pointer` is where the mouse is, and
    goes before it. `unfolded` gives what is read more room.
    """

    DEFAULT_CSS = """
    AxesChart {
        height: 16;
        border: round $foreground 30%;
        border-title-color: $foreground;
        border-title-style: bold;
        border-subtitle-color: $foreground 70%;
        & > .axes-chart--text { color: $foreground; }
        & > .axes-chart--muted { color: $foreground 70%; }
        & > .axes-chart--axis { color: $foreground 30%; }
        & > .axes-chart--grid { color: $foreground 30%; }
        & > .axes-chart--mark { color: $text-success; }
        & > .axes-chart--alert { color: $text-error; text-style: bold; }
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

    def __init__(self, title: str = "") -> None:
        super().__init__()
        self.border_title = Content(plain(title))

    @property
    def frame(self) -> Frame | None:
        """Where things were drawn last; None if nothing was."""
        raise NotImplementedError

    @property
    def read_x(self) -> float | None:
        """The x that is read; None reads the last values."""
        return self.cursor if self.pointer is None else self.pointer

    @property
    def dot(self) -> float | None:
        """How much x is in a dot column; None while nothing is drawn."""
        frame = self.frame
        return None if frame is None else (frame.x.high - frame.x.low) / max(frame.dots - 1, 1)

    def ink_style(self, ink: int) -> Style:
        """Theme colours for text and axes, the palette for series; faint is near the background."""
        if ink in _COMPONENTS:
            return self.get_component_rich_style(_COMPONENTS[ink])
        colour, faint = series_colour(ink, dark=self.has_pseudo_class("dark"))
        shown = self.ground.blend(Color.parse(colour), _FAINT if faint else 1.0)
        return Style(color=shown.rich_color, bgcolor=self.background_colors[1].rich_color)

    @property
    def ground(self) -> Color:
        """What is behind, as a colour that others can be mixed into."""
        background = self.background_colors[1]
        dark = self.has_pseudo_class("dark")
        return Color.parse("#000000" if dark else "#FFFFFF") if background.ansi else background

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
        offset, frame = event.get_content_offset(self), self.frame
        if offset is None or frame is None or not frame.gutter <= offset.x < frame.width:
            return None
        return frame.x_at(offset.x - frame.gutter)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Read values where the mouse is, within the plot."""
        self.pointer = self.x_at(event)

    def on_leave(self) -> None:
        """Show the last values again."""
        self.pointer = None
