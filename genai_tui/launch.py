"""What the screen asks of workers: describe, plan, create, start, resume, sample.

Workers are processes; this module starts them and never imports PyTorch itself.
"""

import contextlib
import getpass
import importlib.metadata
import json
import os
import platform
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import backends
from backends import records
from backends.records import Catalogue, Plan, PlanRequest, RunSpec, SampleRequest, Status
from genai_tui import control, heartbeats, sharing
from genai_tui import settings as places
from genai_tui.annotations import name_problem
from genai_tui.command_line import in_store
from genai_tui.errors import FAILED, MISUSE, UserError
from genai_tui.lineage import Origin, keep
from genai_tui.run import Seen, is_elsewhere
from genai_tui.store import LIVE, Run, Store, write_atomic

START_SECONDS = 20.0
_KEEPER = (sys.executable, "-P", "-m", "genai_tui.keeper")


class LaunchError(UserError):
    """Something that cannot be started; the message is one sentence."""


# --------------------------------------------------------------------------- the catalogue


def catalogue(*, refresh: bool = False) -> Catalogue:
    """Everything that can be picked here; told by a worker, remembered until a file changes.

    Raises:
        LaunchError: the worker failed, for one because PyTorch cannot be imported.
    """
    path, stamp = places.cache_dir() / "catalogue.json", _stamp()
    if not refresh:
        known = _remembered(path, stamp)
        if known is not None:
            return known
    told = _ask_worker(["describe"])
    found = msgspec.json.decode(told, type=Catalogue)
    _remember(path, stamp, told)
    return found


def remembered() -> Catalogue | None:
    """The catalogue as it was last told, however old; None if nobody has asked. Starts nothing."""
    return _remembered(places.cache_dir() / "catalogue.json", None)


def _stamp() -> str:
    """Changes whenever the answer could: versions, files of the models, GPUs that are visible."""
    files = sorted(Path(backends.__path__[0]).rglob("*.py"))
    newest = [f"{file.name}:{file.stat().st_mtime_ns}" for file in files]
    groups = ("genai_tui.models", "genai_tui.datasets")
    added = [str(p) for g in groups for p in importlib.metadata.entry_points(group=g)]
    cuda = os.environ.get("CUDA_VISIBLE_DEVICES", "-")
    return json.dumps([sys.executable, _versions(), newest, added, cuda])


def _remembered(path: Path, stamp: str | None) -> Catalogue | None:
    """The catalogue in the cache if it bears ``stamp``; None for a stamp takes any."""
    try:
        known = json.loads(path.read_bytes())
        if stamp is not None and known["stamp"] != stamp:
            return None
        return msgspec.convert(known["catalogue"], Catalogue)
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        return None


def _remember(path: Path, stamp: str, told: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = json.dumps({"stamp": stamp, "catalogue": json.loads(told)})
        write_atomic(path, kept.encode())
    except OSError:
        return  # a cache that cannot be written is only slower


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("genai-tui", "torch", "numpy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


# --------------------------------------------------------------------------- planning


class Planner:
    """A worker that answers what a request would train; it stays warm until closed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def plan(self, request: PlanRequest) -> Plan:
        """Blocks until the worker answers; the first time that takes an import of PyTorch.

        Raises:
            LaunchError: the worker died.
        """
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(msgspec.json.encode(request) + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = b""
            if not answer:
                raise LaunchError(f"the planning worker died: {self._end(process)}")
        return msgspec.json.decode(answer, type=Plan)

    def close(self) -> None:
        """Ends the worker."""
        process = self._process
        if process is not None:
            process.kill()  # a request that is being answered fails, and ends it itself
            with self._lock:
                if self._process is process:
                    self._end(process)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            # A file, since a pipe that nobody reads would fill up and stop the worker.
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = subprocess.Popen(
                worker_command(["plan"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                process_group=0,
            )
        return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> str:
        """Ends the worker; the last thing that it said."""
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # a request that it did not take
                    pipe.close()
        self._process = None
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        return said.splitlines()[-1] if said else f"exit status {process.returncode}"


# --------------------------------------------------------------------------- creating and starting


def create(
    store: Store,
    *,
    model: str,
    dataset: str = "",
    settings: Mapping[str, str] | None = None,
    name: str = "",
    seed: int = 0,
    device: str = "auto",
    planner: Planner | None = None,
    begin: Origin | None = None,
    group: int | None = None,
) -> Run:
    """Makes a run that could be started; nothing is on disk if it could not.

    Args:
        planner: a warm one to ask; else one is started for this.
        begin: the weights it begins with; else they are drawn from the seed.
        group: the group that it is shared with; None leaves it to its owner alone.

    Raises:
        LaunchError: one sentence on what is wrong with the request.
        RunError: the store cannot be written.
    """
    problem = name_problem(name)
    if problem:
        raise LaunchError(problem, status=MISUSE)
    request = PlanRequest(
        model=model,
        dataset=dataset,
        settings=dict(settings or {}),
        device=device,
        seed=seed,
        weights=str(begin.weights) if begin else "",
    )
    plan = _plan(request, planner)
    if plan.error:
        raise LaunchError(plan.error, status=MISUSE)
    spec = _spec(store, request, plan, name)

    def fill(folder: Path) -> None:
        if group is not None:
            sharing.share(Run(folder), group)
        if begin is not None:
            keep(begin, folder)

    return store.create(spec if begin is None else _begun(spec, begin), fill)


def _begun(spec: RunSpec, begin: Origin) -> RunSpec:
    """``spec`` with where its weights come from."""
    if begin.run is None:
        return msgspec.structs.replace(spec, weights=begin.weights.name)
    return msgspec.structs.replace(spec, parent=begin.run.id, parent_step=begin.step)


def _plan(request: PlanRequest, planner: Planner | None) -> Plan:
    if planner is not None:
        return planner.plan(request)
    once = Planner()
    try:
        return once.plan(request)
    finally:
        once.close()


def _spec(store: Store, request: PlanRequest, plan: Plan, name: str) -> RunSpec:
    identity = store.new_id(request.model)
    short = request.model.rpartition("/")[2]
    return RunSpec(
        id=identity,
        name=name or f"{short}-{identity.rpartition('-')[2]}",
        model=request.model,
        dataset=plan.dataset,
        model_config=plan.model_config,
        data_config=plan.data_config,
        train_config=plan.train_config,
        seed=request.seed,
        device=request.device,
        created=time.time(),
        versions=_versions(),
    )


def start(run: Run, steps: int | None = None, *, queue: bool = False) -> None:
    """Starts a run that belongs to no terminal; returns when its keeper has said so.

    Args:
        queue: it waits until a device is free for it.

    Raises:
        LaunchError: it is being trained already, or the keeper could not start.
        RunError: the run cannot be read.
    """
    planned = run.spec().train_config.get("steps")
    _check_owner(run)
    wanted = steps or int(planned or 0)
    reading, writing = os.pipe()
    try:
        process = _begin_keeper(run, wanted, writing, queue)
        answer = _first_line(reading, START_SECONDS)
        process.wait()  # it only forked; the keeper is its child and belongs to nobody
    except OSError as error:
        raise LaunchError(f"the keeper cannot be started: {error}") from None
    finally:
        os.close(reading)
    if not answer.startswith("ok"):
        sentence = answer.removeprefix("error: ") or f"its keeper did not answer; see {run.console}"
        raise LaunchError(f"run {run.label} cannot be started: {sentence}")


def _check_owner(run: Run) -> None:
    """A worker believes what is in its run's folder: nobody else may have written it."""
    told = run.path.stat()
    if told.st_uid != os.getuid():
        raise LaunchError(f"run {run.label} belongs to another user, not to {getpass.getuser()}")
    if told.st_mode & 0o022:
        sentence = f"others can write into the folder of run {run.label}"
        raise LaunchError(f"{sentence}: chmod go-w {run.path}", status=MISUSE)


def _begin_keeper(run: Run, steps: int, ready: int, queue: bool) -> subprocess.Popen[bytes]:
    """Starts the process that becomes the keeper; ``ready`` is the keeper's from here on."""
    try:
        return subprocess.Popen(
            [
                *(*_KEEPER, str(run.path), "--steps", str(steps), "--ready", str(ready)),
                *(["--queue"] if queue else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(ready,),
            start_new_session=True,
        )
    finally:
        os.close(ready)


def resume(run: Run, steps: int | None = None) -> None:
    """Goes on from the newest checkpoint, up to ``steps`` (the last target if None).

    Raises:
        LaunchError: it is training, has nothing left to do, or belongs to somebody else.
        RunError: the run cannot be read.
    """
    status, spec = run.status(), run.spec()
    state = _state(run, status)
    if state in LIVE:
        raise LaunchError(f"run {run.label} is {state} already", status=MISUSE)
    _check_owner(run)
    target = steps or status.of or int(spec.train_config.get("steps") or 0)
    if state == "finished" and target <= status.step:
        again = in_store(f"genai-tui resume {run.id}", run.path.parent)
        raise LaunchError(
            f"run {run.label} is finished at step {status.step}: give a greater number of steps, "
            f"as in {again} --steps {2 * status.step}",
            status=MISUSE,
        )
    if target < status.step:
        sentence = f"run {run.label} is at step {status.step} already, beyond {target}"
        raise LaunchError(sentence, status=MISUSE)
    control.clear(run.control)
    start(run, target)


def _state(run: Run, status: Status) -> Seen:
    """The state as no two clocks tell it: one who began a second training would ruin the first."""
    if not (is_elsewhere(status) and status.state in LIVE):
        return run.state(status)
    return status.state if heartbeats.moves(lambda: run.status().heartbeat) else "interrupted"


def sample(run: Run, request: SampleRequest, out: Path, step: int | None = None) -> dict[str, Any]:
    """Draws from a checkpoint in a worker of its own; the training is not disturbed.

    Raises:
        LaunchError: there is no such checkpoint, or the model cannot be asked for that.
    """
    arguments = ["sample", str(run.path), "--out", str(out.absolute())]
    arguments += ["--step", str(-1 if step is None else step)]
    told = _ask_worker([*arguments, "--request", records.encode(request).decode()])
    return json.loads(told)


# --------------------------------------------------------------------------- processes


def worker_command(arguments: list[str]) -> list[str]:
    """How a worker is started."""
    return [sys.executable, "-P", "-m", "genai_tui.worker", *arguments]


def _ask_worker(arguments: list[str]) -> bytes:
    done = subprocess.run(worker_command(arguments), capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sentence = last_sentence(done.stderr, done.returncode)
        raise LaunchError(sentence, status=MISUSE if done.returncode == MISUSE else FAILED)
    return done.stdout


def last_sentence(said: bytes, status: int) -> str:
    """Why a worker failed: the last line that it said on stderr."""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"the worker ended with {status}"


def _first_line(fd: int, seconds: float) -> str:
    data, until = b"", time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not selector.select(left):
                break
            piece = os.read(fd, 4096)
            if not piece:
                break
            data += piece
    return data.decode(errors="replace").strip()
