"""The live line chart: any number of series against steps, repainted where it has changed."""

from collections.abc import Sequence
from typing import cast

from textual.app import App

from genai_tui.charts.canvas import Row
from genai_tui.charts.chart import AxesChart
from genai_tui.charts.frame import Frame
from genai_tui.charts.plot import Plot, View
from genai_tui.charts.series import Mark, Series

__all__ = ["LineChart", "Mark", "Series"]


class LineChart(AxesChart):
    """Series as braille lines, with axes, a legend of last values, marks, a readout at the mouse.

    With `log_y` values that are not positive are gaps. The legend shows the values at the `cursor`;
    `unfolded` gives every series of it a place of its own, with the smoothed value. Where the user
    wants no colours (NO_COLOR), lines are told by their dashes.
    """

    def __init__(self, title: str = "") -> None:
        super().__init__(title)
        self._series: tuple[Series, ...] = ()
        self._marks: tuple[Mark, ...] = ()
        self._plot = Plot()

    @property
    def frame(self) -> Frame | None:
        """Where the lines were drawn last."""
        return self._plot.frame

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
            cursor=self.read_x,
            unfolded=self.unfolded,
            mono=self.is_attached and cast(App[object], self.app).no_color,
        )
        return self._plot.rows(self._series, self._marks, view, width, height)
