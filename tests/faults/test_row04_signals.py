"""Row 4: SIGTERM, SIGINT, SIGHUP, a second SIGTERM, and SIGTERM while torch is being imported.

A SIGTERM, to the keeper, to the worker or to both, means: end this step, write a checkpoint, leave
with 75 and say so on record; whenever it comes, before the worker's first own line too. A second
one that is meant leaves at once, and the last checkpoint stands. SIGINT and SIGHUP, which a
terminal sends to everything that was started in it, do nothing to a worker.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from real_runs import attempt, create, gone, in_state, keeper, reached, told, undisturbed, worker
from waiting import until

from backends import checkpoints
from backends.records import End, Phase, Start, Step
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.store import Run, Store

STEPS = 600
ENDLESS = 10**6
BEYOND = 200
"""Steps after a signal: who had to leave for it would not have come so far."""
TERMING = Path(__file__).parent / "terming"
NOTHING_YET = "stopped before the first step"


@counts("stops", quick=1, full=50)
def test_a_sigterm_at_any_moment_is_a_stop_with_a_checkpoint(
    stops: int, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    spec = small("vae/mlp", STEPS)
    straight = undisturbed(spec, tmp_path / "straight")
    chance = random.Random(4)
    stopped = lost = 0
    while stopped < stops:
        run = create(store, spec)
        launch.start(run)
        while stopped < stops and stop(run, chance, stopped):
            stopped += 1
            lost += not is_saved(run)
            launch.resume(run)
        until(in_state(run, "finished"), 120)
        lost += not straight.is_that_of(run)
    scorecard(row=4, tried=stopped, lost=lost)


def stop(run: Run, chance: random.Random, number: int) -> bool:
    """Sends a SIGTERM at a random moment, to one or to both; False if the run was finished first.

    Each other one comes while the worker starts, before it has taken a step.
    """
    early = number % 2 == 1
    before, guard = len(told(run, Start)), keeper(run)
    trained = worker(run)
    if not early:
        until(lambda: len(told(run, Start)) > before, 60)
    time.sleep(chance.uniform(0, 2 if early else 0.4))  # the fault is to be told at any moment
    for process in ([trained], [guard], [guard, trained])[number % 3]:
        liveness.send(process, signal.SIGTERM)
    until(in_state(run, "stopped", "finished"), 60)
    until(gone(guard))
    return run.state() == "stopped"


def is_saved(run: Run) -> bool:
    """Whether a stopped run says so on record, and has a checkpoint of all that it has logged."""
    end, status = told(run)[-1], run.status()
    if not isinstance(end, End) or (end.state, end.exit_code, status.exit_code) != (
        *("stopped", 75, 75),
    ):
        return False
    there = checkpoints.steps(run.path / "checkpoints")
    if end.reason == NOTHING_YET:
        return end.step == (there[-1] if there else 0)
    begun = told(run, Start)[-1].step
    logged = [step.step for step in told(run, Step) if step.step > begun]
    return there[-1] == end.step == max(logged, default=begun)


MOMENTS = ["start", "genai_tui.attempt", "backends.records", "torch", "torch.nn", "numpy"]
MOMENTS += ["safetensors.torch", "backends.training", "backends.vae.mlp"]


@pytest.mark.parametrize(
    "moments",
    [["start", "torch"], pytest.param(MOMENTS, marks=pytest.mark.faults_long)],
    ids=["quick", "full"],
)
def test_a_sigterm_before_there_is_anything_to_save_leaves_a_record(
    moments: list[str], store: Store, monkeypatch: pytest.MonkeyPatch, scorecard: Entry
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TERMING), prepend=os.pathsep)
    lost = 0
    for moment in moments:
        monkeypatch.setenv("GENAI_TUI_TEST_TERM_AT", moment)
        run = create(store, small())
        launch.start(run)
        until(in_state(run, "stopped", "failed", "finished"), 60)
        end, status = told(run)[-1], run.status()
        assert isinstance(end, End)
        lost += (end.state, end.exit_code, end.reason) != ("stopped", 75, NOTHING_YET)
        lost += (status.exit_code, status.attempt, status.restarts) != (75, 1, 0)
        lost += bool(checkpoints.steps(run.path / "checkpoints"))
    scorecard(row=4, tried=len(moments), lost=lost)


def test_a_stop_between_two_attempts_leaves_a_record(
    store: Store, torch_is: Callable[[str], None], scorecard: Entry
) -> None:
    torch_is("import os; os._exit(3)")
    run = create(store, small())
    launch.start(run)
    until(lambda: run.status().restarts == 2)
    liveness.send(keeper(run), signal.SIGTERM)
    scorecard(row=4, tried=1, lost=int(not is_stopped_by_the_keeper(run, 2)))


def test_a_stop_that_a_dying_worker_cannot_answer_leaves_a_record(
    store: Store, torch_is: Callable[[str], None], tmp_path: Path, scorecard: Entry
) -> None:
    go = tmp_path / "go"
    wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    torch_is(f"import os, time\n{wait}\nos._exit(3)")
    run = create(store, small())
    launch.start(run)
    until(lambda: told(run, Phase))  # it says what it is at, and imports what will kill it
    assert liveness.send(keeper(run), signal.SIGTERM)
    go.touch()
    scorecard(row=4, tried=1, lost=int(not is_stopped_by_the_keeper(run, 1)))


def is_stopped_by_the_keeper(run: Run, attempts: int) -> bool:
    guard = keeper(run)
    until(in_state(run, "stopped"), 10)
    until(gone(guard))
    end, status = told(run)[-1], run.status()
    reason = "stopped before it could answer; its last attempt ended: exit status 3"
    return (
        isinstance(end, End)
        and (end.state, end.exit_code, end.reason) == ("stopped", 75, reason)
        and (status.exit_code, status.reason, status.attempt) == (75, reason, attempts)
    )


def test_what_a_terminal_sends_does_nothing_to_a_worker(store: Store, scorecard: Entry) -> None:
    run = create(store, small("vae/mlp", ENDLESS))
    launch.start(run)
    until(reached(run, 1), 60)
    guard, trained = keeper(run), worker(run)
    sent = [
        liveness.send(process, number)
        for process, number in (
            (guard, signal.SIGHUP),
            (trained, signal.SIGHUP),
            (trained, signal.SIGINT),
        )
    ]
    assert all(sent)
    until(reached(run, run.status().step + BEYOND), 60)
    undone = (keeper(run), worker(run)) != (guard, trained)
    run.command("stop")
    until(in_state(run, "stopped"), 60)
    scorecard(row=4, tried=3, lost=3 * undone)


STUCK = """import os, signal, sys, time
if "genai_tui.worker" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)
    print("still here", flush=True)
    time.sleep(3.1)
    os.kill(os.getpid(), signal.SIGTERM)
    print("not reached", flush=True)
"""


def test_a_second_sigterm_is_the_same_request_at_once_and_is_meant_later(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scorecard: Entry
) -> None:
    """A system that shuts down signals the keeper and the worker, and the keeper passes it on; a
    user who waits in vain signals again."""
    (tmp_path / "torch.py").write_text(STUCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    run = create(store, small())
    done = subprocess.run(attempt(run, 5), capture_output=True, timeout=60)
    assert b"still here" in done.stdout
    scorecard(row=4, tried=2, lost=(b"not reached" in done.stdout) + (done.returncode != 75))
