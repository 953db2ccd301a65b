"""Row 11: a worker that hangs: stopped by a signal, in a loop, waiting for data that never come.

Within the limit that is set, and not before, its stacks are in the console and it is restarted; the
run ends in the bits of an undisturbed one. A worker that is paused, that imports, or that slept as
the whole machine did, is left alone.
"""

import mmap
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_runs import create, gone, in_state, keeper, reached, told, undisturbed, worker
from waiting import until

from backends.records import Mark, Start
from faults.plugin import Faults, faulty
from faults.scorecard import Entry, counts, long
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.hanging import HangWatch
from genai_tui.pulse import Heart, Pulse
from genai_tui.store import Run, Store

STEPS, LONG, LIMIT = 60, 300, 3.0
SLACK = 60.0
"""Seconds for the stacks, the leaving and the next start, on a machine that others use too."""
KNOBS = {"hang_minutes": LIMIT / 60, "checkpoint_every": 10}


def restarted(run: Run, since: float, missed: str = "step") -> None:
    """Waits for the second attempt; it comes neither before the limit nor much later."""
    until(lambda: run.status().restarts == 1, LIMIT + SLACK)
    assert time.monotonic() - since >= LIMIT
    until(in_state(run, "finished"), SLACK)
    said = run.console.read_text()
    assert f"no {missed} for" in said
    assert "most recent call first" in said
    assert [start.attempt for start in told(run, Start)] == [1, 2]


@counts("times", quick=1, full=8)
def test_a_worker_that_was_stopped_is_restarted(
    times: int, store: Store, faults: Faults, tmp_path: Path, scorecard: Entry
) -> None:
    spec = faulty(small(steps=LONG, **KNOBS))
    straight = undisturbed(spec, tmp_path / "straight")
    faults.plan("slow", step=0, of=LONG)  # so that there is time to meddle
    lost = 0
    for turn in range(times):
        run = create(store, spec)
        launch.start(run)
        until(reached(run, 5 + 10 * turn), 60)
        if times > 1:
            rests(run)
            sleeps_with_its_machine(run)
        since = time.monotonic()
        first = worker(run)
        assert liveness.send(first, signal.SIGSTOP)
        restarted(run, since)
        assert gone(first)()
        lost += not straight.is_that_of(run)
    scorecard(row=11, tried=times, lost=lost)


def rests(run: Run) -> None:
    """A pause that is longer than the limit is no fault."""
    run.command("pause")
    until(in_state(run, "paused"))
    resting(LIMIT + 2)
    assert run.state() == "paused"
    run.command("resume")
    until(lambda: [m for m in told(run, Mark) if m.verb == "resume" and m.answer == "done"])
    assert run.status().restarts == 0


def sleeps_with_its_machine(run: Run) -> None:
    """What sleeps is the keeper as well; it must not take the time for its worker's."""
    both = [keeper(run), worker(run)]
    for process in both:
        assert liveness.send(process, signal.SIGSTOP)
    resting(LIMIT + 2)
    for process in both:  # the keeper first, as it would have to judge by the clock alone
        assert liveness.send(process, signal.SIGCONT)
        resting(0.5)
    assert run.status().restarts == 0
    assert "no step for" not in run.console.read_text()


def resting(seconds: float) -> None:
    """The fault is that so much time passes."""
    time.sleep(seconds)


@pytest.mark.parametrize("kind", [long("loader"), long("hang"), long("spin")])
def test_a_worker_that_waits_or_turns_for_ever_is_restarted(
    kind: str, store: Store, faults: Faults, tmp_path: Path, scorecard: Entry
) -> None:
    spec = faulty(small(steps=STEPS, **KNOBS), loader=kind == "loader")
    straight = undisturbed(spec, tmp_path / "straight")
    faults.plan(kind, step=25, of=STEPS)
    run = create(store, spec)
    launch.start(run)
    until(lambda: not faults.is_pending, 60)
    restarted(run, time.monotonic() - 0.5)
    scorecard(row=11, tried=1, lost=not straight.is_that_of(run))


def test_a_worker_that_waits_for_ever_as_it_validates_is_restarted(
    store: Store, faults: Faults, tmp_path: Path, scorecard: Entry
) -> None:
    """Its heart goes on beating beside the thread that waits."""
    spec = faulty(small(steps=STEPS, **KNOBS), loader=True)
    straight = undisturbed(spec, tmp_path / "straight")
    faults.plan("validation", step=1, of=STEPS)  # the first held-out batch is looked at to begin
    run = create(store, spec)
    launch.start(run)
    until(lambda: not faults.is_pending, 60)
    assert run.status().phase == "validating"
    restarted(run, time.monotonic() - 0.5, "sign of life")
    scorecard(row=11, tried=1, lost=not straight.is_that_of(run))


class Watched:
    """A worker as the watch sees one, on a clock that is turned by hand."""

    def __init__(self, folder: Path, limit: float) -> None:
        self.now = 0.0
        self.folder = folder
        self.pulse = Pulse()
        self.heart = _heart(self.pulse)
        self.watch = HangWatch(self.pulse, folder, limit, lambda: self.now)
        self.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._rests()
        self.watch.begin(self.process.pid)

    def _rests(self) -> None:
        """Waits until it has started, which reads: what it reads from now on is a sign of life."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        os.write(self.process.stdin.fileno(), b"x")
        os.read(self.process.stdout.fileno(), 1)

    def passes(self, seconds: float, every: float = 1.0) -> str:
        """Lets time pass, in which the keeper looks now and then; the first thing it says."""
        until = self.now + seconds
        while self.now < until:
            self.now += every
            said = self.watch.look()
            if said:
                return said
        return ""

    def steps(self, seconds: float, times: int) -> None:
        for _ in range(times):
            self.heart.beat()
            assert self.passes(seconds) == ""

    def writes(self, name: str = "records.jsonl") -> None:
        with (self.folder / name).open("a") as file:
            file.write("it lives\n")


def _heart(pulse: Pulse) -> Heart:
    return Heart(mmap.mmap(pulse.descriptor, mmap.PAGESIZE))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path, 60.0)
    with found.process:
        yield found
        found.process.kill()


def test_what_takes_long_without_a_step_is_no_fault(watched: Watched, scorecard: Entry) -> None:
    """Also not what takes so long that no test could wait for it, as long as there is life."""
    phases = ("importing torch", "compiling", "validating", "sampling", "saving")
    for phase in phases:
        watched.heart.turn(phase)
        for _ in range(600):
            watched.writes()
            assert watched.passes(6.0) == ""
    watched.heart.turn("paused")
    assert watched.passes(3600.0) == ""
    watched.heart.turn("training")
    assert watched.passes(30.0) == ""
    watched.now += 8 * 3600  # it slept
    assert watched.passes(1.0) == ""
    assert watched.passes(60.0).startswith("no step for 6")
    scorecard(row=11, tried=len(phases) + 2, lost=0)


def test_a_worker_without_any_sign_of_life_hangs_whatever_it_is_at(watched: Watched) -> None:
    watched.heart.turn("validating")
    watched.writes()
    assert watched.passes(59.0) == ""
    assert watched.passes(10.0).startswith("no sign of life for 6")


def test_a_status_that_is_written_anew_is_no_sign_of_life(watched: Watched) -> None:
    """Its writer is a thread beside the one that hangs."""
    watched.heart.turn("validating")
    said = ""
    for _ in range(35):
        watched.writes("status.json")
        said = said or watched.passes(2.0)
    assert said.startswith("no sign of life for 6")


def test_a_training_that_writes_and_takes_no_step_hangs(watched: Watched) -> None:
    """As one whose thread beside the steps goes on to log what the machine does."""
    watched.heart.turn("training")
    watched.steps(1.0, times=9)
    said = ""
    for _ in range(35):
        watched.writes()
        said = said or watched.passes(2.0)
    assert said.startswith("no step for 6")


def test_who_reads_for_long_lives(tmp_path: Path) -> None:
    """As from a disk in a network that is slow, where the processor has nothing to do."""
    now = 0.0
    watch = HangWatch(Pulse(), tmp_path, 60.0, lambda: now)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
        assert reader.stdin is not None
        watch.begin(reader.pid)
        for _ in range(30):
            before = taken(reader.pid)
            os.write(reader.stdin.fileno(), b"x")
            until(lambda known=before: taken(reader.pid) > known)
            now += 5.0
            assert watch.look() == ""
        reader.stdin.close()


def taken(pid: int) -> int:
    """Bytes that a process has read."""
    words = Path(f"/proc/{pid}/io").read_text().split()
    return int(words[words.index("rchar:") + 1])


def test_a_slow_run_has_a_limit_of_its_own(watched: Watched) -> None:
    watched.heart.turn("training")
    watched.steps(30.0, times=9)
    watched.heart.beat()
    assert watched.passes(599.0) == ""
    assert watched.watch.limit == pytest.approx(600.0)
    assert watched.passes(2.0) == "no step for 600 s"


def test_a_watch_that_is_off_says_nothing(tmp_path: Path) -> None:
    assert HangWatch(Pulse(), tmp_path, 0.0).interval is None
