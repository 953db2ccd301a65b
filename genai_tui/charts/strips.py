"""Strips in fewer bytes: a style is written only where it changes, and only what changes of it."""

from collections.abc import Iterable
from functools import lru_cache

from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

_RESET = "\x1b[0m"
_PLAIN = Style.null()


class CompactStrip(Strip):
    """A strip of text without links; halves the bytes of rows with many colours on one background.

    Textual ends each segment with a reset and begins the next one with all of its style. What is
    cropped from the start, as it does to repaint a part of a row, is compact as well.
    """

    __slots__ = ["_ansi"]

    def __init__(self, segments: Iterable[Segment], cell_length: int | None = None) -> None:
        super().__init__(segments, cell_length)
        self._ansi: str | None = None

    def crop(self, start: int, end: int | None = None) -> Strip:
        """The cells from `start` to before `end`."""
        cropped = super().crop(start, end)
        if cropped is self or isinstance(cropped, CompactStrip):
            return cropped
        return CompactStrip(cropped, cropped.cell_length)

    def render(self, console: Console) -> str:
        """The row as terminal sequences; made once, as the console stays the same."""
        if self._ansi is None:
            self._ansi = _rendered(self, COLOR_SYSTEMS[console.color_system or "truecolor"])
        return self._ansi


def _rendered(segments: Iterable[Segment], system: ColorSystem) -> str:
    parts: list[str] = []
    held = _PLAIN
    for text, style, _ in segments:
        wanted = style or _PLAIN
        if wanted is not held:
            parts.append(_change(held, wanted, system))
            held = wanted
        parts.append(text)
    return "".join(parts) + _RESET


@lru_cache(maxsize=4096)
def _change(held: Style, wanted: Style, system: ColorSystem) -> str:
    """The sequence that turns one style into another."""
    if held == wanted:
        return ""
    fresh = (
        held.without_color != wanted.without_color
        or (held.color is not None and wanted.color is None)
        or (held.bgcolor is not None and wanted.bgcolor is None)
    )
    if fresh:
        return f"\x1b[0;{Strip.render_ansi(wanted, system)}m".replace(";m", "m")
    colour = wanted.color if wanted.color != held.color else None
    background = wanted.bgcolor if wanted.bgcolor != held.bgcolor else None
    return f"\x1b[{Strip.render_ansi(Style(color=colour, bgcolor=background), system)}m"
