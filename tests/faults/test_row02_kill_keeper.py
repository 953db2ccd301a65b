"""Row 2: kill -9 of the keeper.

Its worker notices, ends its step, writes a checkpoint of it and leaves. The run then reads
interrupted, nothing that was logged is lost, and a resume ends bit-identical.
"""

import random
import signal
import time
from pathlib import Path

from real_runs import create, gone, in_state, keeper, told, undisturbed, worker
from waiting import until

from backends import checkpoints
from backends.records import Phase, Start, Step
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.store import Run, Store

SHORT, STEPS = 200, 600
LEAVE_SECONDS = 5.0
"""For one step of milliseconds and one small checkpoint, on a machine that others use too."""


@counts("kills", quick=1, full=20)
def test_a_worker_leaves_with_a_checkpoint_when_its_keeper_is_killed(
    kills: int, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    steps = SHORT if kills == 1 else STEPS
    spec = small("gan/dcgan", steps, keep_checkpoints=1)
    straight = undisturbed(spec, tmp_path / "straight")
    chance = random.Random(2)
    killed = lost = 0
    while killed < kills:
        run = create(store, spec)
        launch.start(run)
        while killed < kills and orphan(run, chance):
            killed += 1
            lost += not is_whole(run)
            launch.resume(run)
        until(in_state(run, "finished"), 120)
        lost += not straight.is_that_of(run)
    scorecard(row=2, tried=killed, lost=lost)


def orphan(run: Run, chance: random.Random) -> bool:
    """Kills the keeper at a random moment of the training; False if the run was finished first."""
    before = len(told(run, Start))
    until(lambda: [p for p in told(run, Phase)[-1:] if p.name == "importing torch"], 60)
    guard, orphaned = keeper(run), worker(run)
    until(lambda: len(told(run, Start)) > before, 60)
    time.sleep(chance.uniform(0, 0.5))  # the fault is to die at any moment
    if not liveness.send(guard, signal.SIGKILL) or run.status().step == run.status().of:
        return False
    until(gone(orphaned), LEAVE_SECONDS)
    return True


def is_whole(run: Run) -> bool:
    """Whether an orphaned worker has saved the very last step that it took, and says so."""
    status, logged = run.status(), told(run, Step)
    saved = checkpoints.steps(run.path / "checkpoints")[-1]
    return (
        run.state() == "interrupted"
        and saved == (logged[-1].step if logged else 0) == status.checkpoint
        and status.reason == f"its keeper died; everything up to step {saved:,} is safe"
    )
