"""The columns of the table of runs: what they say, how wide they are, which go first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.records import number
from genai_tui import amounts
from genai_tui.store import LIVE, Summary
from genai_tui.visible import visible
from genai_tui.widgets.states import shown

GAP = 1
BAR, BAR_REST = "━", "─"

Sparkline = Callable[[Sequence[float], int], str]


@dataclass(frozen=True, slots=True)
class Column:
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
    Column("data", "data", 12, 22, 40),
    Column("step", "step/of", 11, 17, 95, right=True),
    Column("bar", "", 6, 16, 60),
    Column("eta", "ETA", 4, 5, 70, right=True),
    Column("rate", "steps/s", 7, 8, 65, right=True),
    Column("loss", "loss", 7, 9, 90, right=True),
    Column("curve", "", 6, 16, 85),
    Column("age", "age", 4, 5, 50, right=True),
)


def fitted(width: int) -> list[tuple[Column, int]]:
    """The columns that fit into ``width`` cells, each with its width; all room is used."""
    kept = list(COLUMNS)
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


def cell(column: Column, width: int, run: Summary, now: float, sparkline: Sparkline | None) -> str:
    """The text of one cell, at most ``width`` characters."""
    text = _TEXTS[column.name](run, width, now, sparkline)
    return visible(text, limit=width)


def _model(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    """The whole name, or without its family."""
    return run.model if len(run.model) <= width else run.model.rpartition("/")[2]


def _step(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    status = run.status
    long = f"{status.step:,}/{status.of:,}"
    if len(long) <= width:
        return long if status.of else amounts.UNKNOWN
    return f"{amounts.count(status.step)}/{amounts.count(status.of)}"


def _bar(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    status = run.status
    if not status.of:
        return ""
    done = min(width, round(width * min(1.0, max(0.0, status.step / status.of))))
    return BAR * done + BAR_REST * (width - done)


def _eta(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    return amounts.short_duration(run.status.eta) if run.state in LIVE else ""


def _rate(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    return amounts.rate(run.status.steps_per_second) if run.state in LIVE else ""


def _loss(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    loss = run.status.loss
    return amounts.value(None if loss is None else number(loss))


def _curve(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    if sparkline is None or not run.status.curve:
        return ""
    return sparkline([number(value) for value in run.status.curve], width)


def _age(run: Summary, width: int, now: float, sparkline: Sparkline | None) -> str:
    return amounts.age(now - run.created) if run.created else ""


_TEXTS: dict[str, Callable[[Summary, int, float, Sparkline | None], str]] = {
    "state": lambda run, *_: shown(run.state),
    "name": lambda run, *_: run.name,
    "model": _model,
    "data": lambda run, *_: run.dataset.rstrip("/").rpartition("/")[2] or run.dataset,
    "step": _step,
    "bar": _bar,
    "eta": _eta,
    "rate": _rate,
    "loss": _loss,
    "curve": _curve,
    "age": _age,
}
