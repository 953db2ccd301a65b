"""Texts on lines of a width, token by token: pure, so that a cursor can walk over them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from genai_tui.visible import visible

PROMPT, HEADING = -1, -2
"""The numbers of pieces that are no tokens."""
BREAK = "⏎"
_WORDS = re.compile(r"[^ ]+ ?| +")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line: what is shown, and the token of which text that is."""

    shown: str
    text: int
    token: int


Line = list[Span]


@dataclass(frozen=True, slots=True)
class Source:
    """A text to be laid out: what it began with, and what followed, in pieces.

    ``breaks`` shows new lines as a character, too.
    """

    prompt: str
    pieces: Sequence[str]
    breaks: bool = False


def laid_out(sources: Sequence[Source], width: int) -> list[Line]:
    """All texts one below the other, each under its number, wrapped between words."""
    lines: list[Line] = []
    for index, source in enumerate(sources):
        lines.append([Span(f"{index + 1}", index, HEADING)])
        lines += _wrapped(index, source, max(1, width))
        lines.append([])
    return lines[:-1]


def _wrapped(index: int, source: Source, width: int) -> Iterator[Line]:
    line: Line = []
    used = 0
    for shown, token in _atoms(source, width):
        if shown == "\n" or used + cell_len(shown) > width:
            yield line
            line, used = [], 0
        if shown != "\n":
            line.append(Span(shown, index, token))
            used += cell_len(shown)
    yield line


def _atoms(source: Source, width: int) -> Iterator[tuple[str, int]]:
    """Words that fit on a line, and new lines, each with the token that it is of."""
    for token, piece in enumerate((source.prompt, *source.pieces), PROMPT):
        for line in visible(piece, lines=True).splitlines(keepends=True):
            for word in _WORDS.findall(line.rstrip("\n")):
                yield from ((part, token) for part in _chopped(word, max(2, width)))
            if line.endswith("\n"):
                if source.breaks and token != PROMPT:
                    yield BREAK, token
                yield "\n", token


def _chopped(word: str, width: int) -> Iterator[str]:
    """``word`` in parts of at most ``width`` cells."""
    begin = used = 0
    for place, character in enumerate(word):
        wide = cell_len(character)
        if used + wide > width and place > begin:
            yield word[begin:place]
            begin, used = place, 0
        used += wide
    yield word[begin:]
