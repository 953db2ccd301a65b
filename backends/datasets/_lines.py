"""The vocabulary of single lines: padding, start and end before the ids of another vocabulary."""

from collections.abc import Sequence

from backends.model import Vocabulary

_PAD, _START, _END, _MARKS = 0, 1, 2, 3


class Lines(Vocabulary):
    """Lines of different lengths side by side: the ids of ``inner`` follow those of three marks."""

    def __init__(self, inner: Vocabulary) -> None:
        self.inner = inner
        self.size = inner.size + _MARKS

    def encode(self, text: str) -> list[int]:
        return [i + _MARKS for i in self.inner.encode(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """The line before the first end; the other marks are no text."""
        told = list(ids)
        told = told[: told.index(_END)] if _END in told else told
        return self.inner.decode([i - _MARKS for i in told if i >= _MARKS])

    @property
    def pad(self) -> int:
        return _PAD

    @property
    def start(self) -> int:
        return _START

    @property
    def end(self) -> int:
        return _END

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines) and self.inner == other.inner

    def __hash__(self) -> int:
        return hash(("lines", self.inner))
