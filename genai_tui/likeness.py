"""ASCII for terminals without Unicode: every other character becomes what looks most like it."""

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_BRAILLE = 0x2800
_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
_ALIKE = {
    "-": "─━╌╍┄┅┈┉═–—‐‑−▔╴╶╸╺▄",
    "|": "│┃║╎╏┆┇┊┋▏▎▍▌▐▕▊▋▉",
    "+": "╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬✓✔▆",
    "*": "●◆■▪◉★▇",
    "o": "○◇□▫◌☆°",
    "^": "▴▲↑",
    "v": "▾▼↓",
    ">": "▸▶→›»",
    "<": "◂◀←‹«",
    "x": "✗✘×✖",
    ",": "✎",
    "~": "…≈",
    ".": "·•▂░",
    "_": "▁",
    ":": "▃▒",
    "=": "▅≡",
    "#": "█▓▀▖▗▘▙▚▛▜▝▞▟",
    "u": "µμ",
    "'": "‘’′",
    '"': "“”″",
}
_LIKENESS = {look: ascii for ascii, looks in _ALIKE.items() for look in looks}


class Ascii(LineFilter):
    """The last hop before such a terminal. No row gets longer or shorter."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.control or segment.text.isascii() for segment in segments):
            return segments
        return [
            segment if segment.control else Segment(in_ascii(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(maxsize=4096)
def in_ascii(text: str) -> str:
    """`text` in as many cells, of ASCII alone."""
    return text if text.isascii() else "".join(map(_alike, text))


@lru_cache(maxsize=4096)
def _alike(character: str) -> str:
    if character.isascii():
        return character
    if _BRAILLE <= ord(character) < _BRAILLE + 256:
        return _dots(ord(character) - _BRAILLE)
    found = _LIKENESS.get(character)
    if found is None:
        plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        found = plain[:1] or "?"
    width = cell_len(character)
    return found + " " * (width - 1) if width else ""


def _dots(bits: int) -> str:
    """The stroke that a braille pattern suggests."""
    left = [row for row in range(4) if bits & _LEFT[row]]
    right = [row for row in range(4) if bits & _RIGHT[row]]
    if not left and not right:
        return " "
    used = sorted({*left, *right})
    if len(used) >= 3 and left and right and min(left) != min(right):
        return "\\" if min(left) < min(right) else "/"
    if len(used) >= 3:
        return "|"
    return {0: "'", 1: "-", 2: "-", 3: "_"}[used[len(used) // 2]]
