"""Inks, the numbers that a canvas is drawn in, and series colours that anyone can tell apart."""

from dataclasses import dataclass

TEXT, MUTED, AXIS, GRID, MARK, ALERT = range(6)
_FIRST_LINE = 16

DARK = ("#56B4E9", "#E69F00", "#1DB88A", "#DB8DBC", "#F0E442", "#EE7B3F", "#8F9DF5", "#B8B8B8")
LIGHT = ("#0068A6", "#A85B00", "#00755A", "#A3437C", "#756600", "#BF4400", "#4A4DC9", "#565656")
"""The hues of Okabe and Ito (2008), lightened or darkened until they read on their background."""


@dataclass(frozen=True, slots=True)
class Dash:
    """A way to tell lines without colours: dots on, off, on, ... in turn, and a sign of it."""

    lengths: tuple[int, ...]
    bullet: str


DASHES = (
    Dash((1,), "━━"),
    Dash((6, 4), "╍╍"),
    Dash((2, 2), "┅┅"),
    Dash((8, 3, 2, 3), "━╍"),
    Dash((1, 3), "··"),
    Dash((12, 6), "━ "),
)


def dash(colour: int) -> Dash:
    """How the line in palette colour `colour` >= 0 is drawn where there are no colours."""
    return DASHES[colour % len(DASHES)]


def line_ink(colour: int) -> int:
    """The ink of a line in palette colour `colour` >= 0."""
    return _FIRST_LINE + 2 * (colour % len(DARK))


def faint_ink(colour: int) -> int:
    """The ink of the raw data behind a smoothed line in that colour."""
    return line_ink(colour) + 1


HEAT = 8
"""Levels of a heat map, from none to most."""
_FIRST_HEAT = 256


def heat_ink(top: int, bottom: int) -> int:
    """The ink of a cell whose upper half has one level and whose lower half another."""
    return _FIRST_HEAT + HEAT * top + bottom


def heat_levels(ink: int) -> tuple[int, int] | None:
    """The levels of the upper and the lower half; None for an ink that is none of a heat map."""
    return divmod(ink - _FIRST_HEAT, HEAT) if ink >= _FIRST_HEAT else None


def series_colour(ink: int, *, dark: bool) -> tuple[str, bool]:
    """The colour, as #RRGGBB, of an ink made here, and whether it is the faint one."""
    colour, faint = divmod(ink - _FIRST_LINE, 2)
    return (DARK if dark else LIGHT)[colour], bool(faint)
