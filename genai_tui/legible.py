"""Words that can be read where a terminal has 256 colours and rounds those of a theme to them."""

from functools import lru_cache

from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

ENOUGH = 4.5
"""The least contrast of text by WCAG 2.2, criterion 1.4.3."""
_STEPS = 10


class Legible(LineFilter):
    """Moves the colour of words that rounding made faint towards white or black.

    Only segments with a letter or a digit are touched: blocks and dots are pictures and curves.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [self._mended(segment, background) for segment in segments]

    def _mended(self, segment: Segment, background: Color) -> Segment:
        text, style, control = segment
        if style is None or control or not any(map(str.isalnum, text)):
            return segment
        return Segment(text, legible(style, background))


@lru_cache(maxsize=4096)
def legible(style: Style, background: Color) -> Style:
    """The style with enough contrast after rounding; colours of the terminal's own are left."""
    ink = style.color
    behind = style.bgcolor or background.rich_color
    if ink is None or ink.triplet is None or behind.triplet is None:
        return style
    if contrast(ink, behind) >= ENOUGH:
        return style
    mine = Color.from_rich_color(ink)
    far = max(
        Color(255, 255, 255), Color(0, 0, 0), key=lambda end: contrast(end.rich_color, behind)
    )
    tried = (mine.blend(far, step / _STEPS).rich_color for step in range(1, _STEPS + 1))
    found = next((ink for ink in tried if contrast(ink, behind) >= ENOUGH), far.rich_color)
    return style + Style(color=found)


def contrast(one: RichColor, other: RichColor) -> float:
    """From 1 to 21, by WCAG, as a terminal of 256 colours shows them."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: RichColor) -> float:
    red, green, blue = colour.downgrade(ColorSystem.EIGHT_BIT).get_truecolor()
    return 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)


def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
