"""The live heat strip: histograms against steps, with the one that is read beside them."""

from collections.abc import Sequence
from typing import cast

from rich.style import Style
from textual.app import App
from textual.color import Color

from genai_tui.charts.canvas import Row
from genai_tui.charts.chart import AxesChart
from genai_tui.charts.frame import Frame
from genai_tui.charts.heat import HeatPlot, Slice
from genai_tui.charts.palette import HEAT, heat_levels, line_ink, series_colour
from genai_tui.charts.plot import View
from genai_tui.charts.series import Mark


class HeatStrip(AxesChart):
    """Bins upwards, steps to the right, shades for how many; bars for the histogram at the cursor.

    `log_y` shades by the logarithm of counts. `coarse` says whether shades have to be told without
    colours or half blocks: where the user wants none (NO_COLOR), or the terminal has neither.
    """

    def __init__(self, title: str = "") -> None:
        super().__init__(title)
        self.coarse = False
        self._slices: tuple[Slice, ...] = ()
        self._marks: tuple[Mark, ...] = ()
        self._plot = HeatPlot()

    @property
    def frame(self) -> Frame | None:
        """Where the strip was drawn last."""
        return self._plot.frame

    def show(self, slices: Sequence[Slice], marks: Sequence[Mark] = ()) -> None:
        """Show these from now on, sorted by x."""
        self._slices, self._marks = tuple(slices), tuple(marks)
        self.redraw()

    def picture(self, width: int, height: int) -> list[Row]:
        """What is read, the strip and the x axis."""
        mono = self.is_attached and cast(App[object], self.app).no_color
        view = View(
            log_y=self.log_y,
            x_unit=self.x_unit,
            x_range=self.x_range,
            x_hint=self.x_hint,
            cursor=self.read_x,
            mono=mono or self.coarse,
        )
        return self._plot.rows(self._slices, self._marks, view, width, height)

    def ink_style(self, ink: int) -> Style:
        """Shades between the background and the first colour of the palette."""
        levels = heat_levels(ink)
        if levels is None:
            return super().ink_style(ink)
        top, bottom = levels
        behind = self._shade(bottom).rich_color
        if top == HEAT:  # the cursor, in front of a level
            return Style(color=self._shade(bottom).get_contrast_text().rich_color, bgcolor=behind)
        return Style(color=self._shade(top).rich_color, bgcolor=behind)

    def _shade(self, level: int) -> Color:
        colour, _ = series_colour(line_ink(0), dark=self.has_pseudo_class("dark"))
        return self.ground.blend(Color.parse(colour), level / (HEAT - 1))
