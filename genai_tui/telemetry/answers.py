"""What one GPU answered: each field by itself, and one phrase for those it refused."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

from genai_tui.telemetry.driver import Code, DriverError, phrase

Answer = TypeVar("Answer")

# The session or the card is gone: asking for another field only costs time.
_LOST = {
    Code.UNINITIALIZED,
    Code.DRIVER_NOT_LOADED,
    Code.GPU_IS_LOST,
    Code.VERSION_MISMATCH,
    Code.AMD_NOT_LOADED,
}
_OF_THE_CARD = _LOST | {Code.RESET_REQUIRED}  # said of the card, not of a field


class _Kept(NamedTuple):
    at: float
    answer: object
    code: int | None  # of a refusal


class Answers:
    """The questions put to one device and what came back."""

    def __init__(self) -> None:
        self._handle: object = None
        self._now = 0.0
        self._kept: dict[str, _Kept] = {}

    def begin(self, handle: object, now: float) -> None:
        """A new sample; after a loss nothing of the old is kept."""
        if self.lost:
            self._kept.clear()
        self._handle = handle
        self._now = now

    def ask(
        self, field: str, question: Callable[[object], Answer], every: float = 0.0
    ) -> Answer | None:
        """The answer, None if there is none.

        One that is younger than ``every`` seconds will do, if the GPU has answered anything since.
        """
        if not _LOST.isdisjoint(self._codes):
            return None
        kept = self._kept.get(field)
        if kept is None or self._now - kept.at >= every or not self._answering:
            kept = self._kept[field] = self._put(question)
        return cast("Answer | None", kept.answer)

    @property
    def lost(self) -> bool:
        """Would a new session with the driver help?"""
        return self._silent or not _LOST.isdisjoint(self._codes)

    @property
    def problem(self) -> str:
        """Why fields are unknown; what a GPU does not support is no problem."""
        for code in self._codes & _OF_THE_CARD:
            return phrase(code)
        fields: dict[str, list[str]] = {}
        for field, kept in self._kept.items():
            if kept.code not in (None, Code.NOT_SUPPORTED):
                fields.setdefault(phrase(kept.code), []).append(field)
        if self._silent:
            return "the GPU does not answer: " + "; ".join(fields)
        return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in fields.items())

    @property
    def _answering(self) -> bool:
        return any(kept.code is None for kept in self._kept.values() if kept.at == self._now)

    @property
    def _codes(self) -> set[int]:
        return {kept.code for kept in self._kept.values() if kept.code is not None}

    @property
    def _silent(self) -> bool:
        refused = all(kept.code is not None for kept in self._kept.values())
        return refused and bool(self._codes - {Code.NOT_SUPPORTED})

    def _put(self, question: Callable[[object], object]) -> _Kept:
        try:
            return _Kept(self._now, question(self._handle), None)
        except DriverError as error:
            return _Kept(self._now, None, error.code)
