"""The store of runs: a folder a run, of plain files in open formats."""

import contextlib
import difflib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from backends import records
from backends.records import FORMAT, Command, RunSpec, SampleRequest, State, Status, Verb
from genai_tui import control, liveness, log
from genai_tui.errors import MISUSE, UserError
from genai_tui.visible import slug, visible

T = TypeVar("T")

Seen = State | Literal["interrupted", "broken"]
"""A run's state as derived from its files, its locks and its processes."""

LIVE: frozenset[Seen] = frozenset({"starting", "running", "paused"})
_FLEETING = LIVE | {"broken"}
"""What may change without a new status: a process dies, a folder is filled."""
HEARTBEAT_SECONDS = 15.0
"""On another host's run: how old a heartbeat may be before the run counts as interrupted."""


class RunError(UserError):
    """A run that cannot be found, read or commanded; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """Three facts, apart: is the keeper there, is the worker there, how old is the heartbeat."""

    keeper: bool
    worker: bool
    heartbeat_age: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list shows of a run. ``error`` says why a run is broken."""

    id: str
    name: str
    model: str
    dataset: str
    created: float
    state: Seen
    status: Status
    error: str = ""


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
        if status.host and status.host != socket.gethostname():
            fresh = time.time() - status.heartbeat < HEARTBEAT_SECONDS
            return status.state if fresh else "interrupted"
        if liveness.keeper_held(self.path / "keeper.lock"):
            return status.state
        return "interrupted"

    def summary(self) -> Summary:
        """What a list shows; a run that cannot be read is "broken", with the reason."""
        try:
            spec, status = self.spec(), self.status()
            state = self.state(status)
        except (RunError, OSError) as error:
            return Summary(self.id, self.id, "", "", 0.0, "broken", Status(), str(error))
        return Summary(self.id, spec.name, spec.model, spec.dataset, spec.created, state, status)

    def read(self, offset: int = 0, limit: int = log.LIMIT) -> log.Chunk:
        """Records after ``offset``; see :func:`genai_tui.log.read`."""
        return log.read(self.records, offset, limit)

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
        if state not in LIVE:
            needs = f"{verb} needs a run that is training"
            raise RunError(f"run {self.label} is {state}: {needs}", status=MISUSE)
        command = control.put(self.control, verb, request=request, knob=knob, value=value)
        if verb == "stop":
            self._hurry()
        return command

    def _hurry(self) -> None:
        """A worker that is starting takes orders when it has started, but a signal at once."""
        status = self.status()
        here = status.boot_id in ("", liveness.boot_id())
        if status.state == "starting" and status.keeper is not None and here:
            keeper = liveness.Identity(status.keeper.pid, status.keeper.started)
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
            return visible(self.spec().name, limit=60)
        except (RunError, OSError):
            return self.id


class Store:
    """All runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[tuple[int, int], Summary]] = {}

    def runs(self) -> list[Run]:
        """Every run, newest first.

        Raises:
            RunError: the store cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                names = [entry.name for entry in entries if _is_run(entry)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"the store {self.root} cannot be read: {error.strerror}") from None
        return [Run(self.root / name) for name in sorted(names, reverse=True)]

    def summaries(self) -> list[Summary]:
        """A summary a run, newest first. Runs that have not changed are not read again."""
        found: dict[str, tuple[tuple[int, int], Summary]] = {}
        for run in self.runs():
            stamp = _stamp(run.path / "status.json")
            known = self._known.get(run.id)
            if known is None or known[0] != stamp or known[1].state in _FLEETING:
                known = (stamp, run.summary())
            found[run.id] = known
        self._known = found
        return [summary for _, summary in found.values()]

    def run(self, reference: str) -> Run:
        """The run with that id, unique prefix of an id, or name; "latest" is the newest.

        Raises:
            RunError: there is none, naming the nearest, or there are several.
        """
        runs = self.runs()
        if not runs:
            sentence = f"there are no runs in {self.root}; start one with: genai-tui demo"
            raise RunError(sentence, status=MISUSE)
        if reference == "latest":
            return runs[0]
        for found in (
            [run for run in runs if run.id == reference],
            [run for run in runs if run.label == reference],
            [run for run in runs if reference and run.id.startswith(reference)],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                names = ", ".join(run.id for run in found[:5])
                sentence = f"{visible(reference)!r} means {len(found)} runs: {names}"
                raise RunError(sentence, status=MISUSE)
        raise RunError(_no_such_run(reference, runs), status=MISUSE)

    def create(self, spec: RunSpec, fill: Callable[[Path], None] = lambda _: None) -> Run:
        """Makes the folder of a run that nobody has started.

        Args:
            fill: puts what else the run begins with into its folder.

        Raises:
            RunError: the store cannot be written.
        """
        path = self.root / spec.id
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
            _fill(path, spec, fill)
            _sync_folder(self.root)
        except OSError as error:
            raise RunError(
                f"the store {self.root} cannot be written ({error.strerror}); choose another with "
                "--runs or GENAI_TUI_RUNS"
            ) from None
        return Run(path)

    def new_id(self, model: str) -> str:
        """A sortable, readable id that no run has."""
        import secrets  # slow to load, and most who look at runs make none

        stamp = time.strftime("%Y%m%d-%H%M%S")
        alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
        ending = "".join(secrets.choice(alphabet) for _ in range(4))
        return f"{stamp}-{slug(model)}-{ending}"


def _fill(path: Path, spec: RunSpec, fill: Callable[[Path], None]) -> None:
    try:
        for name in ("samples", "checkpoints", "control"):
            (path / name).mkdir(mode=0o700)
        fill(path)
        document = msgspec.json.format(records.encode(spec))
        write_atomic(path / "run.json", document, durable=True)
    except (OSError, RunError):
        shutil.rmtree(path, ignore_errors=True)
        raise


def write_atomic(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replaces a file, so that a reader finds the old content or the new and nothing between.

    What is ``durable`` survives a power cut right after.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(fd)
        os.replace(hidden, path)
        if durable:
            _sync_folder(path.parent)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise


def _sync_folder(path: Path) -> None:
    """A new name in ``path`` survives a power cut, where the file system can promise that."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)


def _decode(path: Path, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(path.read_bytes())
    except records.UNREADABLE as error:
        raise RunError(f"{path} is damaged: {error}") from None


def _is_run(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_ino)


def _steps(folder: Path) -> list[tuple[int, Path]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    found = ((name.split("-")[1], folder / name) for name in names if name.startswith("step-"))
    return sorted((int(step), path) for step, path in found if step.isdecimal())


def _no_such_run(reference: str, runs: list[Run]) -> str:
    names = [run.label for run in runs] + [run.id for run in runs]
    near = difflib.get_close_matches(reference, names, n=3, cutoff=0.4) or names[:3]
    return f"no run {visible(reference)!r}; the nearest are {', '.join(near)}"
