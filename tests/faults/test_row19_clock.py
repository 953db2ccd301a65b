"""Row 19: the clock is set back and forward by a day while a run trains.

The training does not notice. What is on record stays in the order in which it happened, durations
and rates are those that were, commands are taken in the order in which they were given, and no
checkpoint is hurried or put off. Nor does it matter how far another host's clock is off: its run is
seen to live, and to be dead.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from real_runs import create, in_state, keeper, reached, told, undisturbed, worker
from waiting import until

from backends.records import Checkpoint, Mark, Sample, Start, Step, number
from faults.plugin import Faults, faulty
from faults.preload import built
from faults.scorecard import Entry, counts, long
from faults.seats import CLI
from faults.small import small
from genai_tui import heartbeats, launch, liveness
from genai_tui.clock import MOST_AHEAD, Forward
from genai_tui.store import Run, Store
from genai_tui.telemetry import journal

DAY = 86400
STEPS, EVERY = 400, 100
LONG_SECONDS = 3600.0
"""Nothing here takes so long: what says so has counted a day."""

STALE = 5.0
"""Seconds; a worker's heart beats every two."""

SetClock = Callable[[int], None]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("clock", tmp_path_factory.mktemp("clock"))


@pytest.fixture
def set_clock(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Moves the clock of all processes started from now on, by so many seconds from the true time,
    whenever it is called."""
    offset = tmp_path / "offset"
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("GENAI_TUI_TEST_CLOCK", str(offset))

    def move(seconds: int) -> None:
        hidden = offset.with_suffix(".new")
        hidden.write_text(str(seconds))
        hidden.replace(offset)

    move(0)
    return move


@counts("runs", quick=1, full=10)
def test_a_training_does_not_notice_that_the_clock_is_set(
    runs: int, store: Store, set_clock: SetClock, tmp_path: Path, scorecard: Entry
) -> None:
    spec = small("vae/mlp", STEPS, checkpoint_every=EVERY, checkpoint_minutes=10)
    straight = undisturbed(spec, tmp_path / "straight")
    chance = random.Random(19)
    moved = lost = 0
    for _ in range(runs):
        run = create(store, spec)
        set_clock(0)
        launch.start(run)
        for step in sorted(chance.sample(range(1, STEPS - 50), 3)):
            until(reached(run, step), 60)
            set_clock(chance.choice((-DAY, DAY)) if moved % 2 == 0 else 0)
            moved += 1
            lost += not is_plausible(run)
        if runs == 1:
            set_clock(-DAY)
            moved += liveness.send(worker(run), signal.SIGKILL)
        until(in_state(run, "finished"), 120)
        lost += not straight.is_that_of(run) or not is_plausible(run) or not is_in_order(run)
    scorecard(row=19, tried=moved, lost=lost)


def is_plausible(run: Run) -> bool:
    """Whether every duration that is shown is one of these seconds."""
    status = run.status()
    took = [record.seconds for record in told(run, Checkpoint) + told(run, Sample)]
    rates = [number(rate) for step in told(run, Step) for rate in step.rates.values()]
    hurried = {record.step % EVERY for record in told(run, Checkpoint)} - {0}
    return (
        all(0 <= seconds < LONG_SECONDS for seconds in (*took, status.eta or 0.0))
        and all(rate >= 0 for rate in rates)
        and not hurried
    )


def is_in_order(run: Run) -> bool:
    """Whether times on record never go back, in the log and in the telemetry."""
    times = [record.t for record in told(run)]
    sampled = [sample.t for sample in journal.read(run.path).samples]
    return all(a <= b for line in (times, sampled) for a, b in pairwise(line))


SEND = """
import sys
from pathlib import Path
from genai_tui.store import Run
Run(Path(sys.argv[1])).command(sys.argv[2])
"""


def test_commands_are_taken_in_the_order_in_which_they_were_given(
    store: Store, set_clock: SetClock, scorecard: Entry
) -> None:
    """The worker is held up until all three wait, each a day before the last by its clock."""
    run = create(store, small("vae/mlp", 10**6, checkpoint_every=10**6))
    launch.start(run)
    until(reached(run, 1), 60)
    trained = worker(run)
    liveness.send(trained, signal.SIGSTOP)
    given = ("checkpoint", "pause", "stop")
    for days, verb in zip((0, -1, -2), given, strict=True):
        set_clock(days * DAY)
        subprocess.run([sys.executable, "-c", SEND, str(run.path), verb], check=True)
    liveness.send(trained, signal.SIGCONT)
    until(in_state(run, "stopped"), 60)
    taken = [mark.verb for mark in told(run, Mark) if mark.answer == "accepted"]
    scorecard(row=19, tried=3, lost=int(tuple(taken) != given))


@pytest.mark.parametrize("ahead", [long(DAY), long(-DAY), long(-60)])
def test_a_host_whose_clock_is_another(
    ahead: int,
    store: Store,
    faults: Faults,
    set_clock: SetClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scorecard: Entry,
) -> None:
    """It shares the file system, so its run is seen from here, and taken over when it is dead."""
    monkeypatch.setattr(heartbeats, "STALE_SECONDS", STALE)
    spec = faulty(small("vae/mlp", STEPS, checkpoint_every=10, checkpoint_minutes=0))
    straight = undisturbed(spec, tmp_path / "straight")
    faults.plan("slow", step=0, of=STEPS)
    run = create(store, spec)
    set_clock(ahead)
    with monkeypatch.context() as there:
        there.setenv("GENAI_TUI_TEST_HOST", "elsewhere")
        launch.start(run)
    until(reached(run, 30), 60)
    until(in_state(run, "running"))
    assert "is running already" in resumed_by_another(run)
    began = [record.attempt for record in told(run, Start)]
    for process in (keeper(run), worker(run)):
        liveness.send(process, signal.SIGKILL)
    until(in_state(run, "interrupted"), 4 * STALE)
    faults.file.unlink()
    set_clock(0)
    launch.resume(run)
    until(in_state(run, "finished"), 60)
    lost = began != [1] or not straight.is_that_of(run) or not is_in_order(run)
    scorecard(row=19, tried=1, lost=lost)


def resumed_by_another(run: Run) -> str:
    """What a process of this host says, which has not seen the run before."""
    bare = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    command = [*CLI, "--runs", str(run.path.parent), "resume", run.id]
    return subprocess.run(command, env=bare, capture_output=True, text=True).stderr


def test_a_time_on_record_follows_the_clock_but_not_back() -> None:
    now = {"wall": 1000.0, "ticks": 5.0}
    clock = Forward(1010.0, lambda: now["wall"], lambda: now["ticks"])
    found: list[float] = []
    for wall, ticks in ((1001, 6), (1001 + DAY, 7), (1002, 8), (1003 - DAY, 9), (1012 + DAY, 10)):
        now |= {"wall": float(wall), "ticks": float(ticks)}
        found.append(clock())
    assert found == [1011, 1001 + DAY, 1002 + DAY, 1003 + DAY, 1012 + DAY]
    wild = Forward(1003 - DAY + MOST_AHEAD + 1, lambda: 1003.0 - DAY, lambda: 0.0)
    assert wild() == 1003 - DAY
