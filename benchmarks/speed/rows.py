"""Every row of the table: what is compared with what, and how far ours must be ahead."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.speed.isolated import BrokenError, isolated
from benchmarks.speed.peers import MissingPeerError, Peers
from benchmarks.speed.turns import Comparison


@dataclass(frozen=True, slots=True)
class Outcome:
    """A comparison, and what must be said with it.

    ``per_second`` is what a piece of work makes, such as (64, "images"): then speeds are told in
    these a second, else as milliseconds.
    """

    comparison: Comparison
    note: str = ""
    per_second: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        name: by which it is chosen.
        what: the work, with its sizes.
        peer: who does it besides us.
        target: how many times faster ours must be.
        measure: called in a process of its own with a scratch folder and the peers.
    """

    name: str
    what: str
    peer: str
    target: float
    measure: Callable[[Path, Peers], Outcome]


def figure(row: Row, outcome: Outcome) -> Figure:
    """The row's line of the table."""
    found = outcome.comparison
    low, high = found.spread
    return Figure(
        what=row.what,
        value=found.ratio,
        unit=f"x ({low:.2f} to {high:.2f})",
        beside=f"{row.peer} {_pace(found.theirs, outcome)}, ours {_pace(found.ours, outcome)}",
        target=f">= {row.target:g}x",
        met=found.ratio >= row.target,
        note=outcome.note,
    )


def absent(row: Row, why: str) -> Figure:
    """The row's line where it could not be measured."""
    return Figure(row.what, None, "x", row.peer, f">= {row.target:g}x", None, why)


def _pace(seconds: float, outcome: Outcome) -> str:
    if outcome.per_second is not None:
        count, name = outcome.per_second
        return f"{count / seconds:,.0f} {name}/s"
    milliseconds = 1000 * seconds
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"


def measure(rows: Sequence[Row], folder: Path, peers: Peers) -> Iterator[Figure]:
    """A figure a row, in order; a peer that is not there is a sentence in its line."""
    for row in rows:
        scratch = folder / row.name
        scratch.mkdir(parents=True)
        try:
            outcome = isolated(functools.partial(row.measure, scratch, peers))
        except MissingPeerError as missing:
            yield absent(row, f"skipped: {missing}")
        except BrokenError as broken:
            yield absent(row, f"failed: {broken}")
        else:
            yield figure(row, outcome)
