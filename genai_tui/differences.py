"""What differs between two samples: pictures as a heat map with its scale, texts word by word."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_STOPS = np.array(
    [(0, 0, 4), (51, 16, 104), (136, 34, 106), (212, 72, 66), (251, 155, 6), (252, 255, 164)],
    np.float64,
)
"""From nothing to the most, ever brighter: read alike by every eye, and in grey."""

SHORT = 80
"""A text of at most so many characters, such as a name, is compared by characters."""
MOST_TOKENS = 6000
"""Comparing takes time with the square of the length: what is beyond is taken as it is."""


@dataclass(frozen=True, slots=True)
class Heat:
    """Where two pictures differ, and by how much: values from 0 to 255."""

    picture: Picture
    most: int
    mean: float

    @property
    def scale(self) -> str:
        """The scale of the colours, for a caption."""
        if not self.most:
            return "no difference"
        return f"difference, black 0 to yellow {self.most} of 255 · mean {self.mean:.1f}"


def heat(one: Picture, other: Picture) -> Heat:
    """The greatest difference of the channels of each pixel, uint8 HxWx3 both, as colours.

    Raises ValueError for pictures of different sizes.
    """
    if one.shape != other.shape:
        sizes = " and ".join(f"{shape[1]} x {shape[0]}" for shape in (other.shape, one.shape))
        raise ValueError(f"pictures of {sizes} pixels cannot be compared")
    apart = np.abs(one.astype(np.int16) - other).max(axis=2)
    most = int(apart.max())
    return Heat(heat_colours(apart / max(1, most)), most, float(apart.mean()))


def heat_colours(shares: NDArray[np.floating]) -> Picture:
    """Shares in [0, 1], HxW, as colours from black to light yellow."""
    places = np.linspace(0, 1, len(_STOPS))
    channels = [np.interp(shares, places, _STOPS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a text."""

    text: str
    changed: bool = False


def changes(before: str, after: str) -> list[Passage]:
    """``after`` in passages, those marked that ``before`` does not have; together they are it."""
    short = max(len(before), len(after)) <= SHORT
    old, new = _tokens(before, short), _tokens(after, short)
    head, tail = new[:MOST_TOKENS], new[MOST_TOKENS:]
    matcher = difflib.SequenceMatcher(None, old[:MOST_TOKENS], head, autojunk=len(head) > 1000)
    found = [
        Passage("".join(head[start:end]), kind != "equal")
        for kind, _, _, start, end in matcher.get_opcodes()
        if end > start
    ]
    return [*found, Passage("".join(tail))] if tail else found


def changed_share(passages: Sequence[Passage]) -> float:
    """The share of the characters that are marked."""
    total = sum(len(one.text) for one in passages)
    return sum(len(one.text) for one in passages if one.changed) / total if total else 0.0


def _tokens(text: str, short: bool) -> list[str]:
    return list(text) if short else re.findall(r"\w+|\s+|[^\w\s]", text)
