"""Charts that can be chosen and maximised: curves, and histograms over time."""

from textual import events
from textual.message import Message

from genai_tui.charts.chart import AxesChart
from genai_tui.charts.heat_strip import HeatStrip
from genai_tui.charts.line import LineChart


class ChartPanel(AxesChart, can_focus=True):
    """A chart of a group, which tells what the mouse does with it."""

    ALLOW_MAXIMIZE = True

    class Pointed(Message):
        """The mouse asks for the values at `x`."""

        def __init__(self, x: float) -> None:
            super().__init__()
            self.x = x

    class Rolled(Message):
        """The mouse wheel was turned: zoom by `factor` around `x`, or move by a share."""

        def __init__(self, factor: float, x: float | None, share: float = 0.0) -> None:
            super().__init__()
            self.factor, self.x, self.share = factor, x, share

    def __init__(self, group: str) -> None:
        super().__init__(group.replace("_per_second", "/s"))
        self.group = group

    def on_click(self, event: events.Click) -> None:
        x = self.x_at(event)
        if x is not None:
            self.post_message(self.Pointed(x))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._roll(event, 0.8, -0.2)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._roll(event, 1.25, 0.2)

    def _roll(self, event: events.MouseEvent, factor: float, share: float) -> None:
        event.stop()
        moves = event.shift
        self.post_message(
            self.Rolled(1.0 if moves else factor, self.x_at(event), share if moves else 0.0)
        )


class Chart(ChartPanel, LineChart):
    """Curves."""


class HeatChart(ChartPanel, HeatStrip):
    """Histograms over time."""
