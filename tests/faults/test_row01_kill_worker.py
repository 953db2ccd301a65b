"""Row 1: kill -9 of the worker, at random moments and at each point of a checkpoint's writing.

Weights, their average and the optimizers' state end bit-identical to those of an undisturbed run,
the series point for point, the samples byte for byte; no half-written file is left. Whatever was on
record when the worker died stays on record, and the next attempt begins no earlier than the last
checkpoint that was announced.
"""

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from real_runs import attempt, create, gone, in_state, told, undisturbed, worker
from waiting import until

from backends.records import Checkpoint, Start
from faults.scorecard import Entry
from faults.small import MODELS, small
from genai_tui import launch, liveness
from genai_tui.liveness import Identity
from genai_tui.store import Run, Store

STEPS, REPLACING = 300, 40
DYING = Path(__file__).parent / "dying"
IMPORT_SECONDS, TRAIN_SECONDS = 3.0, 0.6
"""A worker is shot within these of its start, or of its first step."""
ENDS = ("finished", "failed", "stopped", "interrupted")


@dataclass(slots=True)
class Witness:
    """Has seen what was on record whenever a worker died."""

    run: Run
    lost: int = 0
    _seen: list[bytes] = field(default_factory=list)

    def look(self) -> None:
        """Call when a worker has died."""
        self._seen.append(self.run.records.read_bytes() if self.run.records.exists() else b"")

    @property
    def deaths(self) -> int:
        return len(self._seen)

    def testify(self) -> int:
        """How often something that was on record is not any more, or was not gone on from."""
        final = self.run.records.read_bytes()
        lost = sum(not final.startswith(seen) for seen in self._seen)
        acknowledged = 0
        for record in told(self.run):
            if isinstance(record, Checkpoint):
                acknowledged = record.step
            elif isinstance(record, Start):
                lost += record.step < acknowledged
        return lost


def fully(*quick: object) -> list[object]:
    """The quick case of one model, and the full case of each."""
    full = quick[-1]
    long = [pytest.param(model, full, marks=pytest.mark.faults_long) for model in MODELS]
    return [("vae/mlp", quick[0]), *long]


@pytest.mark.parametrize(("model", "kills"), fully(2, 25))
def test_a_worker_may_be_killed_at_any_moment(
    model: str, kills: int, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    spec = small(model, STEPS)
    straight = undisturbed(spec, tmp_path / "straight")
    chance = random.Random(model)
    killed = lost = 0
    while killed < kills:
        run = create(store, spec)
        witness = Witness(run)
        launch.start(run)
        while killed < kills and shoot(run, chance):
            killed += 1
            witness.look()
            go_on(run)
        while not in_state(run, "finished")():
            until(in_state(run, *ENDS), 120)
            go_on(run)
        lost += witness.testify() + (not straight.is_that_of(run)) + len(leftovers(run))
    scorecard(row=1, tried=killed, lost=lost)


def leftovers(run: Run) -> list[Path]:
    """What those that died half-way through a file or a folder have left."""
    return list(run.path.rglob(".*"))


def shoot(run: Run, chance: random.Random) -> bool:
    """Kills the worker at a random moment; False if it finished first."""
    if run.state() == "finished":
        return False
    before = len(told(run, Start))
    victim = worker(run)
    if chance.random() < 0.2:
        moment = chance.uniform(0, IMPORT_SECONDS)
    else:
        moment = chance.uniform(0, TRAIN_SECONDS)
        until(lambda: len(told(run, Start)) > before or not liveness.is_alive(victim), 60)
    time.sleep(moment)  # the fault is to die at any moment
    dead = liveness.send(victim, signal.SIGKILL)
    until(gone(victim))
    return dead


def go_on(run: Run) -> None:
    """Waits for the next worker, and resumes the run where the keeper has given up."""
    until(lambda: run.state() in ENDS or _has_worker(run), 60)
    if run.state() in ("failed", "interrupted"):
        until(lambda: not run.is_held())
        launch.resume(run)
        until(lambda: run.state() in ENDS or _has_worker(run), 60)


def _has_worker(run: Run) -> bool:
    found = run.status().worker
    return found is not None and liveness.is_alive(Identity(found.pid, found.started))


@pytest.mark.parametrize(
    ("model", "steps", "first", "stride"),
    [
        ("vae/mlp", REPLACING, 17, 10),
        pytest.param("vae/mlp", REPLACING, 0, 1, marks=pytest.mark.faults_long),
        *(pytest.param(model, STEPS, 0, 1, marks=pytest.mark.faults_long) for model in MODELS),
    ],
)
def test_a_worker_may_be_killed_at_each_point_of_a_save(
    model: str,
    steps: int,
    first: int,
    stride: int,
    store: Store,
    tmp_path: Path,
    scorecard: Entry,
) -> None:
    """Where there are few steps it is the last checkpoint, which is replaced by its like."""
    spec = small(model, steps, keep_checkpoints=1)
    straight = undisturbed(spec, tmp_path / "straight")
    run = create(store, spec)
    witness = Witness(run)
    plan = tmp_path / "plan"
    if steps == REPLACING:
        assert not is_killed(run, steps, plan)  # there is none yet
    plan.write_text(f"{first} {stride}")
    while is_killed(run, steps, plan):
        witness.look()
    calls = set(plan.with_suffix(".deaths").read_text().splitlines())
    if steps == REPLACING:
        assert f"os.rename .old-step-{steps:06d}" in calls
    else:
        assert calls >= {"fsync manifest.json", "os.rename step-000000", "fsync checkpoints"}
    lost = witness.testify() + (not straight.is_that_of(run)) + len(leftovers(run))
    scorecard(row=1, tried=witness.deaths, lost=lost)


def is_killed(run: Run, steps: int, plan: Path) -> bool:
    """Whether one more attempt follows the plan to its death; False if it finishes."""
    path = os.pathsep.join([str(DYING), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "GENAI_TUI_TEST_DYING": str(plan)}
    number = run.status().attempt + 1
    done = subprocess.run(attempt(run, steps, number), env=environment, timeout=120)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0
