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

from backends.records import Checkpoint, Phase, Start
from faults.scorecard import Entry
from faults.small import MODELS, small
from genai_tui import launch, liveness
from genai_tui.liveness import Identity
from genai_tui.store import Run, Store

STEPS = 300
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


@pytest.mark.parametrize(("model", "stride"), fully(11, 1))
def test_a_worker_may_be_killed_at_each_point_of_a_save(
    model: str, stride: int, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    spec = small(model, 40, keep_checkpoints=1)
    straight = undisturbed(spec, tmp_path / "straight")
    run = create(store, spec)
    witness = Witness(run)
    plan = tmp_path / "plan"
    plan.write_text(f"{stride // 2} {stride}")
    environment = {**os.environ, "PYTHONPATH": str(DYING), "GENAI_TUI_TEST_DYING": str(plan)}
    if inherited := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] += os.pathsep + inherited
    deaths, ended = 0, -int(signal.SIGKILL)
    while ended == -int(signal.SIGKILL):
        ended = subprocess.run(
            attempt(run, 40, deaths + 1), env=environment, timeout=120
        ).returncode
        deaths += 1
        witness.look()
    assert ended == 0
    assert not plan.exists()  # it was followed to its end
    calls = (tmp_path / "plan.deaths").read_text().splitlines()
    assert len(calls) == deaths - 1
    if stride == 1:
        assert {"os.rename step-000010", "fsync manifest.json", "fsync checkpoints"} <= set(calls)
    assert [phase for phase in told(run, Phase) if phase.name == "saving"]
    lost = witness.testify() + (not straight.is_that_of(run)) + len(leftovers(run))
    scorecard(row=1, tried=len(calls), lost=lost)
