"""Processes as a list to look at: on which GPU, of which run, sorted, filtered, as a tree."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from genai_tui import liveness
from genai_tui.store import LIVE, Summary
from genai_tui.telemetry.record import Gpu, Process

Order = Literal["gpu", "pid", "user", "gpu memory", "cpu", "memory", "age", "command"]
ORDERS: tuple[Order, ...] = (
    "gpu",
    "cpu",
    "memory",
    "gpu memory",
    "age",
    "pid",
    "user",
    "command",
)
Places = Mapping[int, int | None]
"""Memory by the number of the GPU; None where the driver does not tell it."""

STUDIO = "this studio"
POLLER = "genai_tui.telemetry"


@dataclass(frozen=True, slots=True)
class Owner:
    """The run that a process works for, and what it does for it."""

    run: Summary
    role: str


@dataclass(frozen=True, slots=True)
class Row:
    """A process of the list. Without a ``process`` nothing but its number on the GPU is known."""

    pid: int
    process: Process | None = None
    gpus: tuple[int, ...] = ()
    gpu_memory: int | None = None
    owner: Owner | None = None
    studio: bool = False
    depth: int = 0

    @property
    def key(self) -> tuple[int, int]:
        """The process and no other."""
        return self.pid, self.process.started if self.process else 0

    @property
    def ours(self) -> str:
        """Whose it is of ours; empty for all others."""
        return self.owner.run.name if self.owner else STUDIO if self.studio else ""


@dataclass(frozen=True, slots=True)
class View:
    """How the list is looked at."""

    order: Order = "gpu"
    backwards: bool = False
    words: str = ""
    tree: bool = False
    everything: bool = True


Owners = Mapping[tuple[int, int], Owner]
"""Which process works for which run, by pid and start time."""


def owners_of(runs: Iterable[Summary]) -> Owners:
    """Keepers and workers of the runs that live on this machine in this boot."""
    known: dict[tuple[int, int], Owner] = {}
    for run in living_here(runs):
        for role, process in (("worker", run.status.worker), ("keeper", run.status.keeper)):
            if process is not None:
                known[process.pid, process.started] = Owner(run, role)
    return known


def living_here(runs: Iterable[Summary]) -> list[Summary]:
    """The runs that live on this machine in this boot."""
    boot = liveness.boot_id()
    return [run for run in runs if run.state in LIVE and run.status.boot_id in ("", boot)]


def rows(
    processes: Sequence[Process], gpus: Sequence[Gpu], strangers: Sequence[int], owners: Owners
) -> list[Row]:
    """A row a process, and one a process on a GPU that cannot be seen from here."""
    by_pid = {each.pid: each for each in processes}
    on_gpus = _on_gpus(gpus)
    hidden = {pid for pid in on_gpus if pid in strangers or pid not in by_pid}
    found = [
        _row(each, {} if each.pid in strangers else on_gpus.get(each.pid, {}), by_pid, owners)
        for each in processes
    ]
    return found + [Row(pid, None, *_summed(on_gpus[pid])) for pid in sorted(hidden)]


def looked_at(found: Sequence[Row], view: View) -> list[Row]:
    """The rows that ``view`` shows, in its order."""
    words = view.words.lower().split()
    shown = [row for row in found if view.everything or row.gpus or row.ours]
    shown = [row for row in shown if _holds(row, words)]
    shown.sort(key=_KEYS[view.order], reverse=view.backwards)
    return _tree(shown) if view.tree else shown


def _row(
    process: Process,
    places: Places,
    by_pid: Mapping[int, Process],
    owners: Owners,
) -> Row:
    gpus, memory = _summed(places)
    return Row(process.pid, process, gpus, memory, *_ownership(process, by_pid, owners))


def _on_gpus(gpus: Sequence[Gpu]) -> Mapping[int, Places]:
    """Of each pid the cards that it is on; a card and its instances may both name it."""
    found: dict[int, dict[int, int | None]] = {}
    for gpu in gpus:
        for each in gpu.processes or []:
            places = found.setdefault(each.pid, {})
            places[gpu.index] = max(places.get(gpu.index) or 0, each.memory or 0) or None
    return found


def _summed(places: Places) -> tuple[tuple[int, ...], int | None]:
    known = [memory for memory in places.values() if memory is not None]
    return tuple(places), sum(known) if known else None


def _ownership(
    process: Process, by_pid: Mapping[int, Process], owners: Owners
) -> tuple[Owner | None, bool]:
    """Of which run a process is, itself or by an ancestor; and whether it is this studio's."""
    seen: set[int] = set()
    each: Process | None = process
    while each is not None and each.pid not in seen:
        owner = owners.get((each.pid, each.started))
        if owner is not None:
            return (owner if each is process else replace(owner, role=_role(process, owner))), False
        if each.pid == os.getpid():
            return None, True
        seen.add(each.pid)
        each = by_pid.get(each.parent)
    return None, False


def _role(process: Process, owner: Owner) -> str:
    return "poller" if POLLER in process.command else f"{owner.role}'s child"


def _holds(row: Row, words: Sequence[str]) -> bool:
    process = row.process
    told = f"{process.user} {process.command}" if process else ""
    text = f"{row.pid} {told} {row.ours}".lower()
    return all(word in text for word in words)


def _tree(shown: Sequence[Row]) -> list[Row]:
    """Children below their parents; who has no parent here stands at the left."""
    pids = {row.pid for row in shown}
    below: dict[int, list[Row]] = {}
    for row in shown:
        parent = row.process.parent if row.process else 0
        below.setdefault(parent if parent in pids and parent != row.pid else 0, []).append(row)
    found: list[Row] = []
    waiting = [(row, 0) for row in reversed(below.pop(0, []))]
    while waiting:
        row, depth = waiting.pop()
        found.append(replace(row, depth=depth))
        waiting += [(child, depth + 1) for child in reversed(below.pop(row.pid, []))]
    # A pid that was given anew between two looks may make a circle, which hangs from no root.
    return found + [row for circle in below.values() for row in circle]


def _descending(value: float | None) -> tuple[bool, float]:
    """The largest first, the unknown last."""
    return value is None, -(value or 0.0)


def _by_gpu(row: Row) -> tuple[object, ...]:
    """Those of our runs first, then by GPU, then by memory, which makes no line jump about."""
    memory = row.process.memory if row.process else None
    places = not row.gpus, row.gpus, _descending(row.gpu_memory)
    works = row.owner is not None and row.owner.role == "worker"
    return row.owner is None, not works, *places, _descending(memory)


def _since(row: Row) -> float:
    return (row.process.since if row.process else None) or 0.0


_KEYS: dict[Order, Callable[[Row], tuple[object, ...]]] = {
    "gpu": _by_gpu,
    "pid": lambda row: (row.pid,),
    "user": lambda row: (row.process.user if row.process else "", row.pid),
    "gpu memory": lambda row: _descending(row.gpu_memory),
    "cpu": lambda row: _descending(row.process.cpu if row.process else None),
    "memory": lambda row: _descending(row.process.memory if row.process else None),
    "age": lambda row: (-_since(row),),
    "command": lambda row: (row.process.command if row.process else "", row.pid),
}
