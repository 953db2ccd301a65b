"""The line above the charts: the instant they read, how they are looked at, what marks mean."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from genai_tui.charts.frame import mark_glyph
from genai_tui.charts.line import Mark
from genai_tui.charts.times import clock_label, duration_label
from genai_tui.history import Instant
from genai_tui.widgets.field import Field, Part

_ALARMS = "$text-error"


class ChartSearch(Input):
    """The line in which a regular expression for the names of charts is typed."""

    class Left(Message):
        """The user searches no longer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "leave",
            "all charts",
            show=False,
            tooltip="All charts again",
            id="charts.search_leave",
        ),
    ]

    def __init__(self) -> None:
        super().__init__(placeholder="regular expression, such as loss|norm", compact=True)

    def action_leave(self) -> None:
        self.post_message(self.Left())


class ChartBar(Field):
    """Says it in a few words, the most changing first."""


def instant_part(instant: Instant | None, begun: float) -> Part:
    """ "step 1,400 · 14:05:31 · 2m10s", or that now is shown."""
    if instant is None:
        return ("● live", "$text-success")
    words = [f"◆ step {instant.step:,.0f}"]
    if instant.t is not None:
        words += [clock_label(instant.t), f"{duration_label(instant.t - begun, 1.0)} in"]
    return (" · ".join(words), "bold $text-primary")


def marks_parts(marks: Sequence[Mark]) -> list[Part]:
    """Every kind of mark that is on the axes, with how many there are."""
    counts: dict[str, int] = {}
    for mark in marks:
        counts[mark.kind] = counts.get(mark.kind, 0) + 1
    parts: list[Part] = []
    for kind, count in counts.items():
        glyph, alarming = mark_glyph(kind)
        parts.append((f"  {glyph} ", _ALARMS if alarming else "$text-success"))
        parts.append((kind if count == 1 else f"{count} {_plural(kind)}", "$text-muted"))
    return parts


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith(("s", "sh")) else f"{kind}s"
