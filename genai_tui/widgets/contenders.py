"""What is said of several runs at a glance: who they are, what sets them apart, how they fare."""

from collections.abc import Sequence

from genai_tui import amounts, comparison
from genai_tui.comparison import Reading
from genai_tui.table import cell
from genai_tui.visible import visible
from genai_tui.widgets.contender import Contender
from genai_tui.widgets.field import Part
from genai_tui.widgets.sheet import Line
from genai_tui.widgets.states import COLOURS, GLYPHS

ENTRY_WIDTH, GAP = 36, 2
_BEST = "bold $text-success"
_ARROWS = {"down": "  best ↓", "up": "  best ↑", None: ""}
FEW = 4
"""Up to so many runs there is room for the name of a scalar beside its values."""


def who(contenders: Sequence[Contender], room: int, *, dark: bool) -> list[Part]:
    """Every run with its letter in its colour, its state, its name and how far it is."""
    if not contenders or room <= 0:
        return ["…"]
    most = max(1, room // ENTRY_WIDTH)
    columns = -(-len(contenders) // -(-len(contenders) // most))
    width = room // columns - GAP
    parts: list[Part] = []
    for index, one in enumerate(contenders):
        if index and index % columns == 0:
            parts.append("\n")
        parts += [*_entry(one, width, dark=dark), " " * GAP]
    return parts


def _entry(one: Contender, width: int, *, dark: bool) -> list[Part]:
    letter: Part = (f"● {one.letter} ", f"bold {one.ink(dark=dark)}")
    if one.summary is None:
        return [letter, cell(visible(one.name), width - 4, name=True)]
    status, state = one.summary.status, one.summary.state
    far = f" {amounts.count(status.step)}/{amounts.count(status.of)}"
    name = cell(visible(one.name), max(1, width - 6 - len(far)), name=True)
    return [letter, (f"{GLYPHS[state]} ", f"${COLOURS[state]}"), name, (far, "$text-muted")]


def _head(contenders: Sequence[Contender], title: str, *, dark: bool) -> Line:
    """The letters of the runs in their colours."""
    letters = tuple(one.letter for one in contenders)
    inks = tuple(f"bold {one.ink(dark=dark)}" for one in contenders)
    return Line(title, letters, inks, "$text-muted")


def knob_sheet(
    contenders: Sequence[Contender], *, everything: bool, dark: bool
) -> tuple[Line, list[Line]]:
    """The knobs that differ, or all of them, section by section."""
    rows = comparison.knobs([one.spec for one in contenders])
    shown = [row for row in rows if everything or row.differs]
    lines: list[Line] = []
    section = ""
    for row in shown:
        if row.section != section:
            section = row.section
            lines.append(Line(section, style="bold $text-primary"))
        style = "" if row.differs else "$text-muted"
        lines.append(Line(f"  {row.name}", tuple(row.texts()), style=style))
    hidden = len(rows) - len(shown)
    if hidden:
        lines.append(Line(f"{hidden} equal knobs are hidden: = shows them", style="$text-muted"))
    return _head(contenders, "knob", dark=dark), lines


def scalar_sheet(
    contenders: Sequence[Contender],
    steps: Sequence[float] | None,
    *,
    dark: bool,
) -> tuple[Line, list[Line]]:
    """Of each scalar the last value, up to the step of each run if ``steps`` says one, and the best
    where it is known what is best."""
    specs = [one.spec for one in contenders]
    found = comparison.scalars(specs, [one.history for one in contenders], steps)
    when = "last" if steps is None else f"at {amounts.count(max(steps))}"
    lines: list[Line] = []
    for each in found:
        if len(contenders) <= FEW:
            lines.append(_line(each.key, each.last, each.last_leaders))
        else:
            lines += [
                Line(each.key, style="bold"),
                _line(f"  {when}", each.last, each.last_leaders),
            ]
        if each.direction is not None:
            few = len(contenders) <= FEW
            lines.append(_line(_ARROWS[each.direction], each.best, each.leaders, steps=few))
    return _head(contenders, f"scalar, {when}", dark=dark), lines


def _line(
    name: str, readings: Sequence[Reading | None], leaders: frozenset[int], *, steps: bool = False
) -> Line:
    """The value of each run, with its step if that is wanted."""
    texts = tuple(
        amounts.value(reading.value if reading else None)
        + ("*" if i in leaders else "")
        + (f" @{amounts.count(reading.step)}" if steps and reading else "")
        for i, reading in enumerate(readings)
    )
    styles = tuple(_BEST if i in leaders else "" for i in range(len(readings)))
    return Line(name, texts, styles)
