"""Characters whose shape is a pattern of subpixels: shades, half blocks, quadrants, octants."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

CellMode = Literal["octant", "quadrant", "half", "ascii"]

SHADES = " .:-=+*#%@"
"""From dark to light, for terminals without any block."""

_HALVES = " ▀▄█"
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
_OLDER = {  # patterns of eight that Unicode had before it added the octants
    0b00000011: 0x1FB82,
    0b00010100: 0x1FBE6,
    0b00101000: 0x1FBE7,
    0b00111111: 0x1FB85,
    0b11000000: 0x2582,
    0b11111100: 0x2586,
    0b00000001: 0x1CEA8,
    0b00000010: 0x1CEAB,
    0b01000000: 0x1CEA3,
    0b10000000: 0x1CEA0,
}
_UNDRAWN = frozenset({0b00000001, 0b00000010, 0b01000000, 0b10000000})
"""Single octants, which kitty leaves blank: their complements are drawn, colours swapped."""


class Glyphs(NamedTuple):
    """For every pattern whose last subpixel is dark; the others are their complements."""

    characters: NDArray[np.str_]
    swapped: NDArray[np.bool_]
    """Whether the character is the complement's, so that the two colours change places."""
    lit: NDArray[np.intp]
    """How many subpixels the pattern lights."""


def _octants() -> str:
    """The 256 characters by pattern: the new ones follow one another, the older are scattered."""
    older = dict(_OLDER)
    for quadrants, character in enumerate(_QUADRANTS):
        top, bottom = quadrants & 3, quadrants >> 2
        older[top * 0b101 | bottom * 0b1010000] = ord(character)
    new = iter(range(0x1CD00, 0x1CDE6))
    return "".join(chr(older[p] if p in older else next(new)) for p in range(256))


def _drawable(characters: str, undrawn: frozenset[int] = frozenset()) -> Glyphs:
    """`characters` by pattern: bit 0 is the top left subpixel, bits go on row by row."""
    last = len(characters) - 1
    patterns = range(len(characters) // 2)
    chosen = [characters[last - p] if p in undrawn else characters[p] for p in patterns]
    return Glyphs(
        np.array(chosen),
        np.array([p in undrawn for p in patterns]),
        np.array([p.bit_count() for p in patterns]),
    )


GLYPHS: dict[CellMode, Glyphs] = {
    "octant": _drawable(_octants(), _UNDRAWN),
    "quadrant": _drawable(_QUADRANTS),
    "half": _drawable(_HALVES),
}
