"""Colours of the theme for widgets that draw their lines themselves.

A component class for each would cost the start of the program a millisecond or two.
"""

from typing import cast

from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.widget import Widget


class Inks:
    """Theme variables as styles, mixed into the background of a widget; remembered until reset."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._colours: dict[tuple[str, float], Color] = {}

    def reset(self) -> None:
        """Forgets what may have changed with the theme."""
        self._colours.clear()

    def text(self, variable: str, strength: float = 1.0) -> Style:
        return Style(color=self._blended(variable, strength).rich_color)

    def behind(self, variable: str, strength: float) -> Style:
        """A background; in a theme of the terminal's own colours none is sure to be read on."""
        if self._widget.background_colors[1].ansi is not None:
            return Style(reverse=True)
        return Style(bgcolor=self._blended(variable, strength).rich_color)

    def _blended(self, variable: str, strength: float) -> Color:
        colour = self._colours.get((variable, strength))
        if colour is None:
            solid = Color.parse(cast(App[object], self._widget.app).theme_variables[variable])
            background = self._widget.background_colors[1]
            mixes = strength < 1 and background.ansi is None and solid.ansi is None
            colour = background.blend(solid, strength) if mixes else solid
            self._colours[variable, strength] = colour
        return colour
