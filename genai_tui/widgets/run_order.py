"""In which order runs are listed, and under which headings: pure functions of their summaries."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from backends.records import number
from genai_tui import sweep
from genai_tui.store import Seen, Summary

Grouping = Literal["", "model", "data", "tree"]
GROUPINGS: tuple[Grouping, ...] = ("", "model", "data", "tree")
NEWEST = "age"
"""The order of a store: the newest first."""

DEEPEST = 5
"""Generations that are told apart by how far their names are indented."""

_LIVELIEST: tuple[Seen, ...] = (
    *("running", "starting", "paused", "queued", "interrupted", "failed"),
    *("broken", "stopped", "finished"),
)


class Row(Struct, frozen=True):
    """A line of the list: a run, or a heading over some.

    Attributes:
        indent: what stands before the run's name, to show whose child it is.
        skip: characters at the name's begin that the heading says already.
    """

    run: Summary | None = None
    heading: str = ""
    indent: str = ""
    skip: int = 0


Key = tuple[bool, float | str]
"""Whether it is unknown, which comes last in both directions; and what is compared."""


def _text(text: str) -> Key:
    return not text, text.casefold()


def _least(value: float | None) -> Key:
    unknown = value is None or math.isnan(value)
    return unknown, 0.0 if value is None or unknown else value


def _most(value: float | None) -> Key:
    return _least(None if value is None else -value)


def _loss(run: Summary) -> float | None:
    return None if run.status.loss is None else number(run.status.loss)


SORTS: dict[str, Callable[[Summary], Key]] = {
    NEWEST: lambda run: (False, 0.0),
    "state": lambda run: (False, float(_LIVELIEST.index(run.state))),
    "name": lambda run: _text(run.name),
    "model": lambda run: _text(run.model),
    "data": lambda run: _text(run.dataset),
    "step": lambda run: _most(run.status.step or None),
    "eta": lambda run: _least(run.status.eta),
    "rate": lambda run: _most(run.status.steps_per_second),
    "loss": lambda run: _least(_loss(run)),
    "tags": lambda run: _text(" ".join(run.tags)),
}
"""By column: newest, liveliest, least loss and so on come first."""


def ordered(runs: Sequence[Summary], by: str, backwards: bool = False) -> list[Summary]:
    """``runs``, the newest first, by a column; equal ones stay as they are."""
    key = SORTS.get(by, SORTS[NEWEST])
    if by == NEWEST:
        return list(reversed(runs)) if backwards else list(runs)
    keyed = [(key(run), run) for run in runs]
    known = [pair for pair in keyed if not pair[0][0]]
    known.sort(key=lambda pair: pair[0][1], reverse=backwards)
    return [run for _, run in known] + [run for key_, run in keyed if key_[0]]


def rows(runs: Sequence[Summary], grouping: Grouping) -> list[Row]:
    """The lines that show ``runs``, which are in their order already."""
    if grouping == "tree":
        return list(_tree(runs))
    if not grouping:
        return [Row(run) for run in runs]
    groups: dict[str, list[Row]] = {}
    for run in runs:
        groups.setdefault(_group_of(run, grouping), []).append(Row(run))
    return [row for name, members in groups.items() for row in [_heading(name, members), *members]]


def _group_of(run: Summary, grouping: Grouping) -> str:
    found = run.model if grouping == "model" else run.dataset
    return found or "unknown"


def _heading(name: str, members: Sequence[object]) -> Row:
    many = "run" if len(members) == 1 else "runs"
    return Row(heading=f"{name} · {len(members)} {many}")


# --------------------------------------------------------------------------- forks and sweeps


def _tree(runs: Sequence[Summary]) -> Iterator[Row]:
    """Forks below the run whose weights they began with, runs of a sweep below its name."""
    there = {run.id for run in runs}
    children: dict[str, list[Summary]] = {}
    for run in runs:
        children.setdefault(_above(run, there), []).append(run)
    shown: set[str] = set()
    for name, members in _sweeps(children.get("", [])):
        base = _shared(members) if name else ""
        branches = list(_branches(members, children, bool(name), len(base)))
        shown |= {row.run.id for row in branches if row.run}
        if name:
            yield _heading(f"{base[:-1]} · {name}" if base else name, members)
        yield from branches
    yield from (Row(run) for run in runs if run.id not in shown)  # parents in a circle


def _above(run: Summary, there: set[str]) -> str:
    return run.parent if run.parent in there and run.parent != run.id else ""


def _sweeps(runs: Sequence[Summary]) -> Iterator[tuple[str, list[Summary]]]:
    """Runs of a sweep together, at the place of their first; every other one alone."""
    groups: dict[str, list[Summary]] = {}
    for run in runs:
        name = next((tag for tag in run.tags if tag.startswith(sweep.TAG)), "")
        groups.setdefault(name or f"/{run.id}", []).append(run)  # no tag begins with a slash
    for name, members in groups.items():
        yield ("" if name.startswith("/") else name), members


def _shared(runs: Sequence[Summary]) -> str:
    """What the names of a sweep's runs begin with, up to the comma before their settings."""
    # Character by character is meant: names are no paths.
    shared = os.path.commonprefix([run.name for run in runs])  # noqa: RUF071
    return shared[: shared.rfind(",") + 1]


def _branches(
    tops: Sequence[Summary], children: dict[str, list[Summary]], below_heading: bool, skip: int
) -> Iterator[Row]:
    """Some runs and all below them, depth first; with a loop, since files may say anything."""
    waiting = [("", run) for run in tops] if not below_heading else _siblings(tops, "")
    waiting.reverse()
    first = {run.id for run in tops}
    while waiting:
        indent, run = waiting.pop()
        yield Row(run, indent=indent, skip=skip if run.id in first else 0)
        beneath = indent.replace("├", "│").replace("└", " ")[: 2 * DEEPEST]
        waiting += reversed(_siblings(children.get(run.id, []), beneath))


def _siblings(runs: Sequence[Summary], beneath: str) -> list[tuple[str, Summary]]:
    last = len(runs) - 1
    return [(beneath + ("└ " if i == last else "├ "), run) for i, run in enumerate(runs)]
