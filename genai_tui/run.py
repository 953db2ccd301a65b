"""One run's folder: what was asked, how it stands, who is at it, what its user wrote on it."""

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from msgspec import Struct

from backends import records
from backends.records import FORMAT, Command, RunSpec, SampleRequest, State, Status, Verb
from genai_tui import annotations, control, liveness, log
from genai_tui.annotations import Annotation
from genai_tui.errors import MISUSE, UserError
from genai_tui.heartbeats import Heartbeats
from genai_tui.liveness import Identity
from genai_tui.regular import opened
from genai_tui.visible import visible

T = TypeVar("T")

Seen = State | Literal["queued", "interrupted", "broken"]
"""A run's state as derived from its files, its locks and its processes."""

TRAINING: frozenset[Seen] = frozenset({"starting", "running", "paused"})
LIVE: frozenset[Seen] = frozenset({*TRAINING, "queued"})
"""What somebody is at: a keeper that trains, or waits for its turn."""
FLEETING: frozenset[Seen] = frozenset({*LIVE, "broken"})
"""What may change without a new status: a process dies, a folder is filled."""
MOST_BYTES = 1 << 24
"""A larger ``run.json`` or ``status.json`` is none."""
_HEARTS = Heartbeats()
"""Of other hosts' and users' runs, by the path."""


class RunError(UserError):
    """A run that cannot be found, read or commanded; the message is one sentence."""


class Liveness(Struct, frozen=True):
    """Three facts, apart: is the keeper there, is the worker there, how old is the heartbeat."""

    keeper: bool
    worker: bool
    heartbeat_age: float


class Summary(Struct, frozen=True):
    """What a list shows of a run. ``error`` says why a run is broken.

    Attributes:
        name: the one that its user gave it, else the one that it was created with.
        parent: id of the run whose weights at ``parent_step`` it began with; empty if none.
    """

    id: str
    name: str
    model: str
    dataset: str
    created: float
    state: Seen
    status: Status
    error: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False
    parent: str = ""
    parent_step: int | None = None


class Run:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self._spec: RunSpec | None = None

    @property
    def control(self) -> Path:
        return self.path / "control"

    @property
    def records(self) -> Path:
        return self.path / "records.jsonl"

    @property
    def telemetry(self) -> Path:
        return self.path / "telemetry.jsonl"

    @property
    def scores(self) -> Path:
        """What evaluations found; written by the one that holds ``scores.lock``."""
        return self.path / "scores.jsonl"

    @property
    def console(self) -> Path:
        return self.path / "console.log"

    def spec(self) -> RunSpec:
        """What was asked.

        Raises:
            RunError: ``run.json`` is missing, damaged or of a newer format.
        """
        if self._spec is None:
            try:
                self._spec = _decode(self.path / "run.json", records.decode_spec)
            except OSError as error:
                sentence = f"{self.path / 'run.json'} cannot be read: {error.strerror}"
                raise RunError(sentence) from None
            if self._spec.format > FORMAT:
                raise RunError(
                    f"run {self.id} was written by a newer genai-tui (format {self._spec.format}; "
                    f"this one reads {FORMAT}): upgrade genai-tui"
                )
        return self._spec

    def status(self) -> Status:
        """The newest status; the empty one before the first is written.

        Raises:
            RunError: ``status.json`` is damaged.
        """
        try:
            return _decode(self.path / "status.json", records.decode_status)
        except FileNotFoundError:
            return Status()

    @property
    def name(self) -> str:
        """What its user calls it; until then what it was created with.

        Raises:
            RunError: ``run.json`` cannot be read.
        """
        return self.annotation().name or self.spec().name

    def annotation(self) -> Annotation:
        """What its user wrote on it."""
        return annotations.read(self.path)

    def annotate(
        self,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        note: str | None = None,
        archived: bool | None = None,
    ) -> Annotation:
        """Changes what is given of the annotation and leaves the rest.

        Args:
            name: empty for the name that the run was created with.

        Raises:
            RunError: one sentence on what cannot be written, or why.
        """
        _check(name, tags, note)
        known = self.annotation()
        changed = Annotation(
            name=known.name if name is None else name,
            tags=known.tags if tags is None else tuple(tags),
            note=known.note if note is None else note,
            archived=known.archived if archived is None else archived,
        )
        try:
            annotations.write(self.path, changed)
        except OSError as error:
            sentence = f"run {self.label} cannot be annotated: {error.strerror}"
            raise RunError(sentence) from None
        return changed

    def liveness(self) -> Liveness:
        keeper = liveness.keeper_held(self.path / "keeper.lock")
        worker = liveness.worker_held(self.path / "worker.lock")
        return Liveness(keeper, worker, time.time() - self.status().heartbeat)

    def is_held(self) -> bool:
        """Whether a keeper or a worker of this machine is at it."""
        return liveness.keeper_held(self.path / "keeper.lock") or liveness.worker_held(
            self.path / "worker.lock"
        )

    def state(self, status: Status | None = None) -> Seen:
        """The state as it is, not as the last writer hoped."""
        status = status or self.status()
        if status.state not in LIVE:
            return status.state
        return _as_told(status) if self._is_kept(status) else "interrupted"

    def _is_kept(self, status: Status) -> bool:
        """Whether its keeper is there; another host's shows it by its heartbeat alone, and another
        user's, whose lock is shut, by its process where the system shows that."""
        lock = self.path / "keeper.lock"
        if is_elsewhere(status):
            return self._beats(status)
        if liveness.is_shut(lock):
            return self._beats(status) or _is_seen(status)
        return liveness.keeper_held(lock)

    def _beats(self, status: Status) -> bool:
        return _HEARTS.is_fresh(str(self.path), status.heartbeat)

    def summary(self, *, annotated: bool = True) -> Summary:
        """What a list shows; a run that cannot be read is "broken", with the reason.

        Args:
            annotated: False where it is known that its user wrote nothing on it.
        """
        try:
            spec, status = self.spec(), self.status()
            state = self.state(status)
        except (RunError, OSError) as error:
            return Summary(self.id, self.id, "", "", 0.0, "broken", Status(), str(error))
        written = self.annotation() if annotated else Annotation()
        return Summary(
            id=self.id,
            name=written.name or spec.name,
            model=spec.model,
            dataset=spec.dataset,
            created=spec.created,
            state=state,
            status=status,
            tags=written.tags,
            note=written.note,
            archived=written.archived,
            parent=spec.parent,
            parent_step=spec.parent_step,
        )

    def read(self, offset: int = 0, limit: int = log.LIMIT) -> log.Chunk:
        """Records after ``offset``; see :func:`genai_tui.log.read`."""
        return log.read(self.records, offset, limit)

    def is_evaluated(self) -> bool:
        """Whether an evaluation of this machine is under way."""
        return liveness.keeper_held(self.path / "scores.lock")

    def command(
        self,
        verb: Verb,
        *,
        request: SampleRequest | None = None,
        knob: str = "",
        value: int | float | bool | str | None = None,
    ) -> Command:
        """Leaves a command for the worker; the answer is a mark in the log.

        Raises:
            RunError: nobody is there to take it.
        """
        state = self.state()
        if state not in LIVE or (state == "queued" and verb != "stop"):
            needs = f"{verb} needs a run that is training"
            raise RunError(f"run {self.label} is {state}: {needs}", status=MISUSE)
        if self.control.is_symlink():
            raise RunError(f"{self.control} is a link, which leads out of the run")
        try:
            command = control.put(self.control, verb, request=request, knob=knob, value=value)
        except PermissionError:
            if self.path.stat().st_uid == os.getuid():
                raise
            sentence = f"run {self.label} belongs to another user, who lets you watch it"
            raise RunError(sentence, status=MISUSE) from None
        if verb == "stop":
            self._hurry()
        return command

    def _hurry(self) -> None:
        """A worker that is starting takes orders when it has started, but a signal at once."""
        status = self.status()
        here = status.boot_id in ("", liveness.boot_id())
        if status.state == "starting" and status.keeper is not None and here:
            keeper = Identity(status.keeper.pid, status.keeper.started)
            liveness.send(keeper, signal.SIGTERM)

    def delete(self) -> None:
        """Removes the run from disk.

        Raises:
            RunError: it is training, or a file of it cannot be removed.
        """
        if self.is_held():
            sentence = f"run {self.label} is training: stop it before you delete it"
            raise RunError(sentence, status=MISUSE)
        hidden = self.path.with_name(f".deleted-{self.id}")
        try:
            os.rename(self.path, hidden)  # gone from every list at once, also if the rest is slow
            shutil.rmtree(hidden)
        except OSError as error:
            raise RunError(f"run {self.id} cannot be deleted: {error}") from None

    def size(self) -> int:
        """Bytes on disk."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                with contextlib.suppress(OSError):  # the worker removes what it has replaced
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total

    def samples(self) -> list[tuple[int, Path]]:
        """(step, folder) of the samples on disk, oldest first.

        Those of a command are beside the periodic ones of the same step, with its id in the name.
        """
        return _steps(self.path / "samples")

    def checkpoint_steps(self) -> list[int]:
        """Steps that have a checkpoint on disk, oldest first."""
        found = _steps(self.path / "checkpoints")
        return [step for step, folder in found if folder.name.count("-") == 1]

    @property
    def label(self) -> str:
        """The name for sentences, safe to print."""
        try:
            return visible(self.name, limit=60)
        except (RunError, OSError):
            return self.id


def is_elsewhere(status: Status) -> bool:
    """Whether it was another host that wrote it, whose processes nobody here can see."""
    return bool(status.host) and status.host != socket.gethostname()


def _is_seen(status: Status) -> bool:
    """Whether its keeper is a process of this boot."""
    told = status.keeper
    here = status.boot_id in ("", liveness.boot_id())
    return told is not None and here and liveness.is_alive(Identity(told.pid, told.started))


def _as_told(status: Status) -> Seen:
    """The state of a run that somebody is at: one that waits for its turn is about to start."""
    return "queued" if status.state == "starting" and status.waits else status.state


def _check(name: str | None, tags: Sequence[str] | None, note: str | None) -> None:
    problems = [annotations.tag_problem(tag) for tag in tags or ()]
    problems += [annotations.name_problem(name or ""), annotations.note_problem(note or "")]
    if len(tags or ()) > annotations.MOST_TAGS:
        problems.append(f"a run has at most {annotations.MOST_TAGS} tags")
    for problem in filter(None, problems):
        raise RunError(problem, status=MISUSE)


def _decode(path: Path, decode: Callable[[bytes], T]) -> T:
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise RunError(f"{path} is damaged: it has over {MOST_BYTES >> 20} MiB")
            return decode(file.read(size))  # asked for more, Python would make room for it first
    except records.UNREADABLE as error:
        raise RunError(f"{path} is damaged: {error}") from None


def _steps(folder: Path) -> list[tuple[int, Path]]:
    try:
        names = [] if folder.is_symlink() else os.listdir(folder)
    except OSError:
        return []
    found = ((name.split("-")[1], folder / name) for name in names if name.startswith("step-"))
    return sorted((int(step), path) for step, path in found if step.isdecimal())
