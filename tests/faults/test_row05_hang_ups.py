"""Row 5: the SSH client is killed, the tmux server is killed, the terminal is closed while drawing.

A run that was started from there, and is being watched there, trains on as if nothing had happened;
the studio, which nobody sees any more, leaves. Starting a run returns within two seconds.
"""

import time
from pathlib import Path

import pytest
from real_runs import Outcome, create, gone, in_state, keeper, reached, undisturbed, worker
from waiting import until

from backends.records import RunSpec
from faults.processes import given, has_drawn
from faults.scorecard import Entry
from faults.seats import CLI, missing, shell, sitting
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.store import Store

STEPS = 600
START_SECONDS, LEAVE_SECONDS = 2.0, 10.0


@pytest.fixture(scope="module")
def spec() -> RunSpec:
    return small("gan/dcgan", STEPS, checkpoint_every=100)


@pytest.fixture(scope="module")
def straight(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return undisturbed(spec, tmp_path_factory.mktemp("straight"))


def cases() -> list[object]:
    """One of tmux by default; five of each in full."""
    kinds = ("terminal", "tmux", "ssh")
    marks = [pytest.mark.faults_long]
    return [("tmux", 1), *(pytest.param(kind, 5, marks=marks) for kind in kinds)]


@pytest.mark.parametrize(("kind", "times"), cases())
def test_a_training_goes_on_when_the_line_is_cut(
    kind: str,
    times: int,
    store: Store,
    spec: RunSpec,
    straight: Outcome,
    tmp_path: Path,
    scorecard: Entry,
) -> None:
    if why := missing(kind):
        pytest.skip(why)
    lost = 0
    for number in range(times):
        run = create(store, spec)
        here = [*CLI, "--runs", str(store.root)]
        line = shell([*here, "resume", run.id], [*here, "watch", run.id])
        scratch = tmp_path / str(number)
        scratch.mkdir()
        with sitting(kind, line, scratch) as seat:
            until(reached(run, 20), 60)
            [studio] = until(lambda run=run: given("watch", run.id), 30)
            until(lambda pid=studio: has_drawn(pid), 30)
            watched = liveness.identity(studio)
            pair = [keeper(run), worker(run)]
            seat.cut()
            until(gone(watched), LEAVE_SECONDS)
            lost += not all(liveness.is_alive(one) for one in pair) and run.state() != "finished"
            until(in_state(run, "finished"), 120)
        status = run.status()
        lost += (status.attempt, status.restarts) != (1, 0) or not straight.is_that_of(run)
    scorecard(row=5, tried=times, lost=lost)


def test_starting_a_run_returns_at_once(store: Store, spec: RunSpec, scorecard: Entry) -> None:
    run = create(store, spec)
    begin = time.monotonic()
    launch.start(run)
    lost = int(time.monotonic() - begin > START_SECONDS)
    run.command("stop")
    until(in_state(run, "stopped"), 60)
    scorecard(row=5, tried=1, lost=lost)
