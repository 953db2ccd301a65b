"""The columns of the table of runs: what they say, how wide they are, which go first."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from backends.records import number
from genai_tui import amounts
from genai_tui.store import TRAINING, Summary
from genai_tui.visible import visible
from genai_tui.widgets.states import GLYPHS, shown

GAP = 1
NOTED = "✎"
"""Marks the name of a run that has a note."""

Sparkline = Callable[[Sequence[float], int], str]


class Column(Struct, frozen=True):
    """A column between its least and its largest width; the one that matters least goes first."""

    name: str
    title: str
    least: int
    most: int
    matters: int
    right: bool = False


COLUMNS = (
    Column("state", "state", 13, 13, 100),
    Column("name", "name", 12, 34, 99),
    Column("model", "model", 9, 24, 80),
    Column("data", "data", 8, 22, 83),
    Column("step", "step/of", 11, 24, 95, right=True),
    Column("eta", "ETA", 4, 5, 70, right=True),
    Column("rate", "steps/s", 7, 8, 65, right=True),
    Column("loss", "loss", 7, 9, 90, right=True),
    Column("curve", "", 4, 16, 85),
    Column("tags", "tags", 6, 24, 68),
    Column("age", "age", 4, 5, 50, right=True),
)
MORE = (
    Column("note", "note", 8, 40, 40),
    Column("parent", "begun from", 10, 28, 39),
    Column("checkpoint", "saved at", 8, 9, 38, right=True),
    Column("host", "host", 6, 16, 37),
    Column("phase", "doing", 10, 28, 36),
)
"""Columns for those who want them."""
EVERY = (*COLUMNS[:-1], *MORE, COLUMNS[-1])


def fitted(width: int, columns: Sequence[Column] = COLUMNS) -> list[tuple[Column, int]]:
    """The columns that fit into ``width`` cells, each with its width; all room is used."""
    kept = list(columns)
    while len(kept) > 1 and _least(kept) > width:
        kept.remove(min(kept, key=lambda column: column.matters))
    spare = width - _least(kept)
    widths: list[tuple[Column, int]] = []
    growing = sum(column.most - column.least for column in kept)
    for column in kept:
        room = column.most - column.least
        more = min(room, spare * room // growing) if growing else 0
        widths.append((column, column.least + more))
    return widths


def _least(columns: Sequence[Column]) -> int:
    return sum(column.least for column in columns) + GAP * (len(columns) - 1)


class Cell(Struct, frozen=True):
    """What the text of a cell is made from.

    Attributes:
        indent: shows in a tree whose child a run is.
        skip: characters at the name's begin that the heading says already.
    """

    run: Summary
    width: int
    now: float
    sparkline: Sparkline | None
    indent: str = ""
    alerts: int = 0
    skip: int = 0


def text_of(column: Column, cell: Cell) -> str:
    """The text of one cell, at most its width in characters."""
    return visible(_TEXTS[column.name](cell), limit=cell.width)


def _state(cell: Cell) -> str:
    run = cell.run
    if cell.alerts and run.state in TRAINING:
        return f"{shown(run.state)} !{cell.alerts}"
    doing = run.status.phase.partition(" ")[0]
    if run.state in ("starting", "running") and doing not in ("", "training"):
        return f"{GLYPHS[run.state]} {doing}"
    place = run.status.waits.partition(" ")[0]  # "2nd"
    queued = run.state == "queued" and place[:1].isdecimal()
    return f"{shown(run.state)} {place}" if queued else shown(run.state)


def _name(cell: Cell) -> str:
    """The name, and behind it a mark of a note."""
    name = cell.indent + cell.run.name[cell.skip :]
    if not cell.run.note:
        return name
    return f"{visible(name, limit=max(1, cell.width - 2))} {NOTED}"


def _model(cell: Cell) -> str:
    """The whole name, or without its family."""
    name = cell.run.model
    return name if len(name) <= cell.width else name.rpartition("/")[2]


def _data(cell: Cell) -> str:
    """An entry's name, or the last part of a path."""
    return cell.run.dataset.rstrip("/").rpartition("/")[2] or cell.run.dataset


def _step(cell: Cell) -> str:
    status = cell.run.status
    long = f"{status.step:,}/{status.of:,}"
    if len(long) <= cell.width:
        return long if status.of else amounts.UNKNOWN
    return f"{amounts.count(status.step)}/{amounts.count(status.of)}"


def share(run: Summary) -> float:
    """How much of a run is done, from 0 to 1."""
    status = run.status
    return min(1.0, max(0.0, status.step / status.of)) if status.of else 0.0


def _eta(cell: Cell) -> str:
    run = cell.run
    return amounts.short_duration(run.status.eta) if run.state in TRAINING else ""


def _rate(cell: Cell) -> str:
    run = cell.run
    return amounts.rate(run.status.steps_per_second) if run.state in TRAINING else ""


def _loss(cell: Cell) -> str:
    loss = cell.run.status.loss
    return amounts.value(None if loss is None else number(loss))


def _curve(cell: Cell) -> str:
    curve = cell.run.status.curve
    if cell.sparkline is None or not curve:
        return ""
    return cell.sparkline([number(value) for value in curve], cell.width)


def _age(cell: Cell) -> str:
    return amounts.age(cell.now - cell.run.created) if cell.run.created else ""


def _tags(cell: Cell) -> str:
    return " ".join(cell.run.tags)


def _note(cell: Cell) -> str:
    return " ".join(cell.run.note.split())


def _parent(cell: Cell) -> str:
    run = cell.run
    return f"{run.parent.rpartition('-')[2]}@{run.parent_step or 0}" if run.parent else ""


def _phase(cell: Cell) -> str:
    status = cell.run.status
    live = cell.run.state in TRAINING
    return amounts.phase(status.phase, status.phase_done, status.phase_of) if live else ""


def _checkpoint(cell: Cell) -> str:
    saved = cell.run.status.checkpoint
    return "" if saved is None else amounts.count(saved)


def _host(cell: Cell) -> str:
    return cell.run.status.host


_TEXTS: dict[str, Callable[[Cell], str]] = {
    "state": _state,
    "name": _name,
    "model": _model,
    "data": _data,
    "step": _step,
    "eta": _eta,
    "rate": _rate,
    "loss": _loss,
    "curve": _curve,
    "tags": _tags,
    "note": _note,
    "parent": _parent,
    "checkpoint": _checkpoint,
    "phase": _phase,
    "host": _host,
    "age": _age,
}
