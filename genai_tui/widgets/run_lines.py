"""The lines of the table of runs as segments: titles, headings, runs, and runs that are broken."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field
from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style

from genai_tui import sweep
from genai_tui.store import Summary
from genai_tui.visible import visible
from genai_tui.widgets.inks import Inks
from genai_tui.widgets.run_columns import GAP, Cell, Column, Sparkline, share, text_of
from genai_tui.widgets.run_order import Row
from genai_tui.widgets.states import COLOURS, shown

# The theme's variable of each part of a line, and how strong it is.
_INKS = {
    "header": ("foreground", 0.6),
    "heading": ("text-primary", 1.0),
    "text": ("foreground", 1.0),
    "muted": ("foreground", 0.7),
    "curve": ("text-accent", 1.0),
    "error": ("text-error", 1.0),
    "mark": ("text-accent", 1.0),
}
_DONE = ("primary", 0.55)
_MUTED = ("model", "data", "age", "note", "parent", "host", "checkpoint")
_PART_OF = {"curve": "curve", "tags": "curve", **dict.fromkeys(_MUTED, "muted")}

MARK, GUTTER = "◆", 1
UP, DOWN = "▴", "▾"
STATE_WIDTH = 13


class RunLines(Struct):
    """Draws lines with the columns, the marks and the order that are set here.

    Attributes:
        columns: each with its width in cells.
        sort: name of the column by which the list is sorted.
        sparkline: draws the course of the loss; None until it is loaded.
        alerts: how many things are wrong with a run, by its id.
    """

    inks: Inks
    columns: list[tuple[Column, int]] = field(default_factory=list)
    marked: frozenset[str] = frozenset()
    sort: str = ""
    backwards: bool = False
    sparkline: Sparkline | None = None
    alerts: Mapping[str, int] = field(default_factory=dict[str, int])

    def titles(self, base: Style) -> list[Segment]:
        texts = (_set(self._title(column), width, column.right) for column, width in self.columns)
        line = " " * GUTTER + (" " * GAP).join(texts)
        return [Segment(line, base + self._ink("header"))]

    def line(self, row: Row, base: Style, width: int, now: float) -> list[Segment]:
        """A row's line of about ``width`` cells; ``now`` is the time, for the ages."""
        if row.run is None:
            text = " " * GUTTER + visible(row.heading, limit=max(1, width - GUTTER))
            return [Segment(text, base + self._ink("heading") + Style(bold=True))]
        mark = MARK if row.run.id in self.marked else " " * GUTTER
        first = Segment(mark, base + self._ink("mark"))
        if row.run.state == "broken":
            return [first, *self._broken(row.run, base, width)]
        return [first, *self._cells(row, row.run, base, now)]

    def _title(self, column: Column) -> str:
        if column.name != self.sort:
            return column.title
        return column.title + (UP if self.backwards else DOWN)

    def _cells(self, row: Row, run: Summary, base: Style, now: float) -> list[Segment]:
        segments: list[Segment] = []
        for column, width in self.columns:
            alerts = self.alerts.get(run.id, 0)
            cell = Cell(run, width, now, self.sparkline, row.indent, alerts, row.skip)
            text = _set(text_of(column, cell), width, column.right)
            segments += self._inked(column, text, run, base)
            segments.append(Segment(" " * GAP, base))
        return segments[:-1]

    def _inked(self, column: Column, text: str, run: Summary, base: Style) -> list[Segment]:
        if column.name == "step":
            done = round(len(text) * share(run))
            return [
                Segment(text[:done], base + self.inks.behind(*_DONE)),
                Segment(text[done:], base),
            ]
        if column.name == "state":
            return [Segment(text, base + self._state_ink(run))]
        part = "muted" if run.archived else _PART_OF.get(column.name, "text")
        return [Segment(text, base + self._ink(part))]

    def _broken(self, run: Summary, base: Style, width: int) -> list[Segment]:
        state = _set(shown(run.state), STATE_WIDTH, False)
        what = run.error.rpartition(f"{run.id}/")[2]  # the name of a file says enough
        reason = visible(f"{run.id}: {what}")
        room = max(0, width - GUTTER - STATE_WIDTH - GAP)
        return [
            Segment(state + " " * GAP, base + self._state_ink(run)),
            Segment(_set(reason, room, False), base + self._ink("error")),
        ]

    def _ink(self, part: str) -> Style:
        return self.inks.text(*_INKS[part])

    def _state_ink(self, run: Summary) -> Style:
        return self.inks.text(COLOURS[run.state])


def _set(text: str, width: int, right: bool) -> str:
    """``text`` in exactly ``width`` cells, wide characters counted as two."""
    return text.rjust(width) if right else set_cell_size(text, width)


def has_tags(rows: Sequence[Row], grouping: str) -> bool:
    """Whether any run has one that no heading says: a column of nothing takes no room."""
    tags = {tag for row in rows if row.run is not None for tag in row.run.tags}
    return any(grouping != "tree" or not tag.startswith(sweep.TAG) for tag in tags)
