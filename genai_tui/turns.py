"""Whose turn it is on a device: a ticket a run in the store, and no daemon.

Each keeper holds a ticket for as long as it lives, locked by flock, so that a crash gives the
device back. A run that is queued starts when a device that it may use is free: no other run of
this store is on it, nobody who came before could use it, and no stranger computes on it. Tickets
are read and changed under one lock, which is held for moments. Standard library only, for the
keeper's sake.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from genai_tui import liveness

FOLDER = ".queue"
"""Below the folder of runs; a dot keeps it out of their list."""
CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Slot:
    """A device that one run has to itself.

    Attributes:
        name: as PyTorch calls it here: "cuda:1", "cpu".
        visible: the setting of CUDA_VISIBLE_DEVICES that shows this device alone; may be empty.
        stranger: whether somebody else's program computes on it.
    """

    name: str
    visible: str = ""
    stranger: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """One keeper's claim.

    Attributes:
        run: its id.
        created: when the run was created, by which its turn comes.
        device: what it asks for while it waits, what it is on when it trains.
    """

    run: str
    created: float
    device: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a waiting run stands.

    Attributes:
        at: from 1, among ``of`` runs that wait for what it waits for.
        slot: the device that it may have now; None if there is none yet.
    """

    at: int
    of: int
    slot: Slot | None = None
    strangers: bool = False
    words: str = field(default="")

    @property
    def phrase(self) -> str:
        """ "2nd of 3 for cuda:0"."""
        busy = ", where another program computes" if self.strangers else ""
        return f"{ordinal(self.at)} of {self.of} for {self.words}{busy}"


def ordinal(number: int) -> str:
    """ "1st", "2nd", "11th"."""
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def candidates(device: str, slots: Sequence[Slot]) -> list[Slot]:
    """The devices that a run which asks for ``device`` may have, the best first."""
    if device == "auto":
        gpus = [slot for slot in slots if slot.name != CPU]
        return gpus or [Slot(CPU)]
    name = "cuda:0" if device == "cuda" else device
    return [slot for slot in slots if slot.name == name] or [Slot(name)]


def place(mine: Ticket, tickets: Sequence[Ticket], slots: Sequence[Slot]) -> Place:
    """Where ``mine`` stands among all that hold a ticket: the earliest choose first."""
    taken = {candidates(t.device, slots)[0].name for t in tickets if not t.waits}
    wanted = candidates(mine.device, slots)
    names = {slot.name for slot in wanted}
    queue = sorted((t for t in tickets if t.waits), key=lambda t: (t.created, t.run))
    rivals = [t.run for t in queue if names & {s.name for s in candidates(t.device, slots)}]
    for ticket in queue:
        if ticket.run == mine.run:
            break
        theirs = (slot for slot in candidates(ticket.device, slots) if slot.name not in taken)
        taken |= {slot.name for slot in list(theirs)[:1]}
    left = [slot for slot in wanted if slot.name not in taken]
    free = [slot for slot in left if not slot.stranger]
    return Place(
        at=rivals.index(mine.run) + 1,
        of=len(rivals),
        slot=free[0] if free else None,
        strangers=bool(left) and not free,
        words=_words(wanted),
    )


def _words(wanted: Sequence[Slot]) -> str:
    if len(wanted) > 1:
        return "a GPU"
    return "the CPU" if wanted[0].name == CPU else wanted[0].name


class Turns:
    """This keeper's ticket among those of its store. Every method may raise OSError."""

    def __init__(self, run: Path, created: float, device: str) -> None:
        self._folder = run.parent / FOLDER
        self._mine = Ticket(run.name, created, device, waits=True)
        self._fd = -1

    def enter(self, *, waits: bool) -> None:
        """Takes a ticket, which this process holds until it ends or leaves."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._alone():
            self._fd = os.open(self._path(self._mine.run), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            self._change(self._mine.device, waits)

    def look(self, slots: Sequence[Slot]) -> Place:
        """Where this run stands."""
        with self._alone():
            return place(self._mine, self._tickets(), slots)

    def take(self, slots: Sequence[Slot]) -> Slot | None:
        """Takes the device that is free for this run, if there is one still."""
        with self._alone():
            slot = place(self._mine, self._tickets(), slots).slot
            if slot is not None:
                self._change(slot.name, waits=False)
            return slot

    def leave(self) -> None:
        """Gives the ticket back."""
        with self._alone():
            self._path(self._mine.run).unlink(missing_ok=True)
            os.close(self._fd)

    def _change(self, device: str, waits: bool) -> None:
        self._mine = Ticket(self._mine.run, self._mine.created, device, waits)
        told = {"run": self._mine.run, "created": self._mine.created}
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps({**told, "device": device, "waits": waits}).encode(), 0)

    def _tickets(self) -> list[Ticket]:
        """All that are held; what nobody holds is swept away, once its worker has gone too."""
        found = [self._mine]
        for path in self._folder.glob("*.json"):
            if path.stem != self._mine.run and self._is_held(path):
                ticket = _read(path)
                found += [ticket] if ticket else []
        return found

    def _is_held(self, path: Path) -> bool:
        if liveness.keeper_held(path):
            return True
        # Without its keeper a worker saves and leaves, which takes it a moment.
        if liveness.worker_held(self._folder.parent / path.stem / "worker.lock"):
            return True
        path.unlink(missing_ok=True)
        return False

    def _path(self, run: str) -> Path:
        return self._folder / f"{run}.json"

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _read(path: Path) -> Ticket | None:
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    told = cast("dict[str, Any]", found)
    created = told.get("created")
    return Ticket(
        run=path.stem,
        created=float(created) if isinstance(created, int | float) else 0.0,
        device=str(told.get("device") or "auto"),
        waits=bool(told.get("waits")),
    )
