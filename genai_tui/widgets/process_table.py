"""The table of processes: what runs on this machine, ours marked with their run."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from genai_tui import amounts
from genai_tui.processes import ORDERS, Row, View, looked_at
from genai_tui.visible import visible
from genai_tui.widgets.line_columns import GAP, LineColumn, fitted, set_width
from genai_tui.widgets.line_table import LineTable

COLUMNS = (
    LineColumn("gpu", "GPU", 4, 7, 94),
    LineColumn("pid", "pid", 7, 7, 99, right=True),
    LineColumn("user", "user", 6, 10, 70),
    LineColumn("gpu memory", "GPU mem", 7, 7, 92, right=True),
    LineColumn("cpu", "CPU %", 6, 6, 90, right=True),
    LineColumn("memory", "memory", 7, 7, 85, right=True),
    LineColumn("age", "age", 4, 4, 75, right=True),
    LineColumn("run", "run", 11, 24, 95),
    LineColumn("command", "command", 16, 300, 98),
)
_GPU_ONLY = {"gpu", "gpu memory"}
_INKS = {
    "text": ("foreground", 1.0),
    "muted": ("foreground", 0.6),
    "run": ("text-success", 1.0),
    "sorted": ("text-accent", 1.0),
}


class ProcessFilter(Input):
    """Every word must occur in a process's pid, user, command or run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "all", tooltip="All processes again", id="gpus.unfilter"),
    ]

    def __init__(self) -> None:
        super().__init__(
            placeholder="pid, user, command or run", compact=True, select_on_focus=False
        )

    def take_focus(self) -> None:
        """Takes the focus, and the line that it needs."""
        self.display = True
        self.screen.set_focus(self)

    def action_leave(self) -> None:
        self.value = ""
        self.post_message(self.Submitted(self, ""))


class ProcessTable(LineTable):
    """Processes; says which one is under the cursor, and what the user wants of it."""

    class Highlighted(Message):
        """Another process is under the cursor, or none."""

    class Opened(Message):
        """The user wants to see the run of a process."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class SignalWanted(Message):
        """The user wants to send a signal to a process."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class Looked(Message):
        """The list is looked at in another way."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open run", tooltip="Watch the process's run", id="gpus.open"),
        Binding("K", "signal", "signal", tooltip="Send a signal, after asking", id="gpus.signal"),
        Binding("o", "sort", "sort", tooltip="Sort by the next column", id="gpus.sort"),
        Binding(
            "O", "reverse", "reverse", show=False, tooltip="The other way round", id="gpus.reverse"
        ),
        Binding("t", "tree", "tree", tooltip="Children below their parents", id="gpus.tree"),
        Binding(
            "a",
            "everything",
            "all",
            tooltip="All processes, or those on GPUs and ours",
            id="gpus.all",
        ),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = View()
        self._found: Sequence[Row] = []
        self._rows: list[Row] = []
        self._columns: list[tuple[LineColumn, int]] = []
        self._has_gpus = False

    @property
    def chosen(self) -> Row | None:
        """The process under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    @property
    def rows(self) -> Sequence[Row]:
        """What is shown."""
        return self._rows

    def show(self, found: Sequence[Row], *, has_gpus: bool) -> None:
        """Shows of these what the view lets through."""
        self._found = found
        self._has_gpus = has_gpus
        if self._columns != self._fitted():
            self._columns = self._fitted()
            self.repaint_all()
        self._rows = looked_at(found, self.view)
        self.follow([row.key for row in self._rows])

    def look(self, view: View) -> None:
        """Looks at the list in another way."""
        self.view = view
        self.show(self._found, has_gpus=self._has_gpus)
        self.post_message(self.Looked())

    def titles(self) -> list[Segment]:
        segments: list[Segment] = []
        for column, width in self._columns:
            is_sorted = column.name == self.view.order
            arrow = ("▲" if self.view.backwards else "▼") if is_sorted else ""
            title = self._counted if column.name == "command" else column.title
            text = set_width(title[: width - len(arrow)] + arrow, width, right=column.right)
            ink = self._ink("sorted" if is_sorted else "muted")
            segments += [Segment(text, self.base + ink), Segment(" " * GAP, self.base)]
        return segments[:-1]

    def line(self, index: int, base: Style) -> list[Segment]:
        row, now = self._rows[index], time.time()
        segments: list[Segment] = []
        for column, width in self._columns:
            text, ink = _cell(column.name, row, now)
            if column.name == "gpu" and len(text) > width:
                text = f"{len(row.gpus)}×"
            text = set_width(visible(text), width, right=column.right)
            segments += [Segment(text, base + self._ink(ink)), Segment(" " * GAP, base)]
        return segments[:-1]

    def cursor_moved(self) -> None:
        self.post_message(self.Highlighted())

    def on_resize(self) -> None:
        self._columns = self._fitted()
        super().on_resize()

    def action_open(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def action_signal(self) -> None:
        if self.chosen is not None:
            self.post_message(self.SignalWanted(self.chosen))

    def action_sort(self) -> None:
        names = {column.name for column, _ in self._columns}
        orders = [order for order in ORDERS if order in names or order == ORDERS[0]]
        at = orders.index(self.view.order) if self.view.order in orders else -1
        self.look(replace(self.view, order=orders[(at + 1) % len(orders)], backwards=False))

    def action_reverse(self) -> None:
        self.look(replace(self.view, backwards=not self.view.backwards))

    def action_tree(self) -> None:
        self.look(replace(self.view, tree=not self.view.tree))

    def action_everything(self) -> None:
        self.look(replace(self.view, everything=not self.view.everything))

    @property
    def _counted(self) -> str:
        """The title of the widest column says how many there are; in the border it would cost a
        repaint of all lines whenever a process comes or goes."""
        shown, all_ = len(self._rows), len(self._found)
        return f"{shown} processes" if shown == all_ else f"{shown} of {all_} processes"

    def _fitted(self) -> list[tuple[LineColumn, int]]:
        columns = [each for each in COLUMNS if self._has_gpus or each.name not in _GPU_ONLY]
        return fitted(columns, self.room)

    def _ink(self, name: str) -> Style:
        return self.inks.text(*_INKS[name])


def _cell(name: str, row: Row, now: float) -> tuple[str, str]:
    """The text of a cell and the name of its ink; what is unknown reads "–"."""
    if name == "run":
        return row.ours, "run"
    if name == "command":
        return _command(row)
    text = _text(name, row, now)
    return text, "muted" if text == amounts.UNKNOWN or name in ("user", "age") else "text"


def _text(name: str, row: Row, now: float) -> str:
    process = row.process
    if name == "gpu":
        return ranges(row.gpus)
    if name == "pid":
        return str(row.pid)
    if name == "gpu memory":
        return amounts.size(row.gpu_memory) if row.gpu_memory is not None or row.gpus else ""
    if process is None:
        return amounts.UNKNOWN
    if name == "user":
        return process.user or amounts.UNKNOWN
    if name == "cpu":
        return amounts.UNKNOWN if process.cpu is None else f"{process.cpu:.0f}"
    if name == "memory":
        return amounts.size(process.memory)
    return amounts.short_duration(None if process.since is None else now - process.since)


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in order, neighbours as a range: "0-3,6"."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return ",".join(str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in found)


def _command(row: Row) -> tuple[str, str]:
    if row.process is None:
        return "cannot be seen from here: it has just ended, or runs in another container", "muted"
    branch = "  " * (row.depth - 1) + "└ " if row.depth else ""
    role = f"{row.owner.role}: " if row.owner else ""
    return branch + role + row.process.command, "text"
