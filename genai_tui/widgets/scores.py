"""The scores of a run's checkpoints, and how far the evaluation that is under way has come."""

from collections.abc import Sequence

from backends.records import Phase, Record, Score, number
from genai_tui import amounts, scores
from genai_tui.history import Instant
from genai_tui.table import cell, gap_of, widths_of
from genai_tui.widgets.field import Field, Part, entitle

WIDE = 62
"""Columns from which on there is room for all that a table says."""


class Scores(Field, can_focus=True):
    """A table; where there is but one line, the values alone."""

    ALLOW_MAXIMIZE = True

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._scores: list[Score] = []
        self._phase: Phase | None = None
        self._instant: Instant | None = None

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    @property
    def phase(self) -> str:
        """What the evaluation is doing: "scoring 12,000 of 50,000"; empty if there is none."""
        told = self._phase
        return "" if told is None else amounts.phase(told.name, told.done, told.of)

    def follow(self, found: Sequence[Score]) -> None:
        """Takes all scores so far, oldest first."""
        self._scores = scores.newest(found)
        self._draw()

    def hear(self, records: Sequence[Record], *, active: bool) -> None:
        """Takes what an evaluation says of itself."""
        told = [record for record in records if isinstance(record, Phase)]
        self._phase = (told[-1] if told else self._phase) if active else None
        self._draw()

    def read_at(self, instant: Instant | None) -> None:
        """Shows what was scored until a moment; None is now."""
        self._instant = instant
        self._draw()

    def _draw(self) -> None:
        self.set_class(not self._scores and self._phase is None, "-empty")
        width, height = self.content_size
        until = float("inf") if self._instant is None else self._instant.step
        shown = [score for score in self._scores if score.step <= until]
        step = f" · step {shown[0].step:,}" if shown else ""
        entitle(self, f"scores{step}", self.phase)
        if not shown:
            self.show(self.phase or "none until this step")
        elif height <= 1:
            self.show(*_brief(shown))
        else:
            self.show(*_table(shown[: height - 1], width))


def _brief(shown: Sequence[Score]) -> list[Part]:
    """The newest checkpoint's in one line."""
    newest = [score for score in shown if score.step == shown[0].step]
    parts: list[Part] = [(f"scores {newest[0].step:,}  ", "$text-muted")]
    for score in newest:
        parts += [f"{score.metric} ", (f"{amounts.value(number(score.value))}  ", "bold")]
    return parts


def _table(shown: Sequence[Score], width: int) -> list[Part]:
    """Where it is narrow, the newest checkpoint's alone, and what needs be known of it."""
    narrow = width < WIDE
    if narrow:
        shown = [score for score in shown if score.step == shown[0].step]
    rows = [_row(texts, narrow=narrow) for texts in (scores.TITLES, *map(scores.texts, shown))]
    widths = widths_of(rows, width)
    gap = " " * gap_of(len(widths), width)
    lines = [_line(row, widths, gap) for row in rows]
    parts: list[Part] = [(lines[0], "$text-muted")]
    for score, line in zip(shown, lines[1:], strict=True):
        older = score.step != shown[0].step
        parts += ["\n", (line, "$text-muted" if older else "")]
    return parts


def _line(row: Sequence[str], widths: Sequence[int], gap: str) -> str:
    first, *rest = row
    return gap.join([cell(first, widths[0], name=True), *map(cell, rest, widths[1:])]).rstrip()


def _row(texts: Sequence[str], *, narrow: bool) -> Sequence[str]:
    if not narrow:
        return texts
    _, metric, value, reference, *_ = texts
    return metric, value.partition(" ±")[0], reference.removeprefix("of ").removesuffix(" data")
