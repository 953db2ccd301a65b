"""All sample steps of a run as one line, with the place where one stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from genai_tui.sample_files import Drawn
from genai_tui.widgets.inks import Inks

RAIL, PLAIN, ASKED, STARRED, MARKED, NOW = "─", "•", "○", "★", "◆", "█"
"""A step that was due, one that a command asked for, a starred one, the marked one, the present."""
_RANK = {RAIL: 0, PLAIN: 1, ASKED: 2, STARRED: 3, MARKED: 4, NOW: 5}
_INKS = {
    RAIL: ("foreground", 0.25),
    PLAIN: ("foreground", 0.7),
    ASKED: ("primary", 1.0),
    STARRED: ("warning", 1.0),
    MARKED: ("success", 1.0),
    NOW: ("accent", 1.0),
}


@dataclass(frozen=True, slots=True)
class Course:
    """What the line shows."""

    drawn: Sequence[Drawn] = ()
    now: int = -1
    marked: int = -1
    starred: frozenset[str] = frozenset()


class Timeline(Widget):
    """Two lines: a sign for each sample step, and the numbers of the first, this and the last."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Timeline { height: 2; }"

    class Chosen(Message):
        """The user points at a sample step."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._course = Course()
        self._inks = Inks(self)

    def show(self, course: Course) -> None:
        if course != self._course:
            self._course = course
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y == 0:
            segments = [self._sign(sign, base) for sign in signs(self._course, width)]
        else:
            segments = [Segment(numbers(self._course, width), base + self._ink(PLAIN))]
        return Strip(segments).adjust_cell_length(width, base)

    def notify_style_update(self) -> None:
        self._inks.reset()
        super().notify_style_update()

    def on_click(self, event: events.Click) -> None:
        count = len(self._course.drawn)
        if count:
            columns = [column(index, count, self.size.width) for index in range(count)]
            near = min(range(count), key=lambda index: abs(columns[index] - event.x))
            self.post_message(self.Chosen(near))

    def _sign(self, sign: str, base: Style) -> Segment:
        return Segment(sign, base + self._ink(sign))

    def _ink(self, sign: str) -> Style:
        return self._inks.text(*_INKS[sign])


def column(index: int, count: int, width: int) -> int:
    """Where a step of so many is on a line: evenly apart, the first at the left, the last right."""
    return round(index * (width - 1) / (count - 1)) if count > 1 else 0


def signs(course: Course, width: int) -> str:
    """The line: of steps that share a column the most telling sign."""
    line = [RAIL] * width
    count = len(course.drawn)
    for index, drawn in enumerate(course.drawn):
        at = column(index, count, width)
        sign = _sign_of(course, index, drawn)
        if _RANK[sign] > _RANK[line[at]]:
            line[at] = sign
    return "".join(line)


def numbers(course: Course, width: int) -> str:
    """The steps of the first, the present and the last samples below their signs."""
    count = len(course.drawn)
    if not count:
        return ""
    line = ""
    for index in sorted({0, max(0, course.now), count - 1}, key=lambda i: (i != course.now, i)):
        text = f"{course.drawn[index].step:,}"
        at = max(0, min(column(index, count, width) - len(text) // 2, width - len(text)))
        line = line.ljust(width)
        if not line[max(0, at - 1) : at + len(text) + 1].strip():
            line = line[:at] + text + line[at + len(text) :]
    return line[:width]


def _sign_of(course: Course, index: int, drawn: Drawn) -> str:
    if index == course.now:
        return NOW
    if index == course.marked:
        return MARKED
    if drawn.relative in course.starred:
        return STARRED
    return ASKED if drawn.asked else PLAIN
