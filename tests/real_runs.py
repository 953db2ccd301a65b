"""Runs with real keepers and real workers: how one is made, watched, and compared with another."""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from tiny import points, same
from waiting import until

from backends import catalogue, checkpoints
from backends.datasets._shape import shape_state
from backends.records import Record, RunSpec, Step
from backends.training import Job, train
from genai_tui import liveness
from genai_tui.liveness import Identity
from genai_tui.store import Run, Store


def create(store: Store, spec: RunSpec, **changes: Any) -> Run:
    """A new run of what another one trains."""
    return store.create(msgspec.structs.replace(spec, id=store.new_id(spec.model), **changes))


def told(run: Run, kind: type = object) -> list[Any]:
    """All records of a run so far, or those of one kind."""
    found: list[Record] = []
    offset, more = 0, True
    while more:
        chunk = run.read(offset)
        found, offset, more = found + chunk.records, chunk.offset, chunk.more
    return [record for record in found if isinstance(record, kind)]


def reached(run: Run, step: int) -> Callable[[], bool]:
    return lambda: any(record.step >= step for record in told(run, Step))


def in_state(run: Run, *states: str) -> Callable[[], bool]:
    return lambda: run.state() in states


def keeper(run: Run) -> Identity:
    found = run.status().keeper
    assert found is not None
    return Identity(found.pid, found.started)


def worker(run: Run) -> Identity:
    found = until(lambda: run.status().worker)
    assert found is not None
    return Identity(found.pid, found.started)


def gone(*processes: Identity) -> Callable[[], bool]:
    return lambda: not any(liveness.is_alive(process) for process in processes)


def attempt(run: Run, steps: int, number: int = 1) -> list[str]:
    """The command of a worker that has no keeper."""
    worker = [sys.executable, "-P", "-m", "genai_tui.worker", "train", str(run.path)]
    return [*worker, "--steps", str(steps), "--attempt", str(number)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished run leaves: the series, the state to the last bit, what it drew."""

    series: dict[int, dict[str, Any]]
    state: Any
    samples: dict[str, str]

    def is_that_of(self, run: Run) -> bool:
        """Whether a run with real processes ended in the same bits."""
        found = outcome(run.path, told(run))
        return (
            found.series == self.series
            and same(found.state, self.state)
            and found.samples == self.samples
        )


def outcome(folder: Path, records: list[Record]) -> Outcome:
    """The outcome of the training in ``folder``, which logged ``records``."""
    last = checkpoints.steps(folder / "checkpoints")[-1]
    drawn = sorted((folder / "samples").rglob("*.*"))
    return Outcome(
        points(records),
        checkpoints.load(checkpoints.folder_of(folder / "checkpoints", last)),
        {str(path.relative_to(folder)): _hash(path) for path in drawn},
    )


def undisturbed(spec: RunSpec, folder: Path) -> Outcome:
    """The outcome of the same training, in one go and in this process."""
    model, dataset, config = catalogue.open_spec(spec)
    meta = {"model": spec.model, "shape": shape_state(dataset.shape)}
    job = Job(model=model, dataset=dataset, config=config, folder=folder, seed=spec.seed, meta=meta)
    return outcome(folder, list(train(job)))


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
