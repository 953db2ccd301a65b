"""Row 6: studios are killed with -9 while others are attached to the same run.

A step of the training costs what it cost before, and each terminal that a studio dies in is as it
was: it echoes, the mouse is its own, the screen is the one before. The same where a studio is told
to leave by SIGTERM.
"""

import os
import random
import re
import signal
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from real_runs import create, in_state, reached, worker
from waiting import until

from benchmarks.terminal import Terminal
from faults.processes import cpu_seconds, given, has_drawn
from faults.scorecard import Entry
from faults.seats import CLI
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.store import Run, Store

SAID = "the shell is back"
ON_BY_DEFAULT = {7, 25}
"""Modes that a terminal has on: wrapping at its edge, and a cursor that is seen."""
DEARER = 1.5
"""What a step may cost then, compared with before: viewers share the processor's caches."""
STEPS = 200


@dataclass(frozen=True, slots=True)
class Viewer:
    """A shell in a terminal, and a studio that it has started."""

    terminal: Terminal
    studio: int
    settings: list[object]

    def end(self, number: signal.Signals) -> bool:
        """Whether the terminal is as it was, once the studio is killed."""
        os.kill(self.studio, number)
        back = self.terminal.wait(lambda text: SAID in text, 20) is not None
        until(lambda: self.reads() and self.is_restored(), 5)
        return back and is_sane(self.terminal.output)

    def is_restored(self) -> bool:
        """Whether the kernel treats the line as before."""
        return self.terminal.settings() == self.settings

    def reads(self) -> bool:
        """Takes what is written meanwhile, as a terminal does; a writer would wait for it."""
        return self.terminal.listen(0.05) >= 0


def is_sane(written: bytes) -> bool:
    """Whether every mode that was switched is back, and the keyboard's protocol as often left as
    entered."""
    modes: dict[int, bool] = {}
    for numbers, switch in re.findall(rb"\x1b\[\?([\d;]+)([hl])", written):
        modes |= {int(number): switch == b"h" for number in numbers.split(b";")}
    left, entered = (len(re.findall(rb"\x1b\[%s\d*u" % how, written)) for how in (b"<", b">"))
    return left == entered and all(on == (mode in ON_BY_DEFAULT) for mode, on in modes.items())


@contextmanager
def viewing(run: Run) -> Generator[Viewer]:
    """A studio that has drawn ``run``."""
    before = set(given("watch", run.id))
    command = " ".join(f"'{word}'" for word in [*CLI, "--runs", str(run.path.parent)])
    line = f"{command} watch {run.id}; echo the shell is' 'back; exec sleep 600"
    with Terminal(["sh", "-c", line], columns=120, rows=40) as terminal:
        settings = terminal.settings()
        [studio] = until(lambda: {*given("watch", run.id)} - before, 30)
        viewer = Viewer(terminal, studio, settings)
        until(lambda: viewer.reads() and has_drawn(studio), 60)
        yield viewer


@pytest.mark.parametrize(
    ("attached", "kills"), [(1, 1), pytest.param(10, 20, marks=pytest.mark.faults_long)]
)
def test_a_training_does_not_notice_viewers_that_are_killed(
    attached: int, kills: int, store: Store, scorecard: Entry
) -> None:
    run = create(store, small("gan/dcgan", 10**6, sample_every=0, checkpoint_every=10**6))
    launch.start(run)
    until(reached(run, 50), 60)
    trained = worker(run)
    before = cost(run, trained.pid)
    chance, lost = random.Random(6), 0
    with ExitStack() as seats:
        viewers = [seats.enter_context(viewing(run)) for _ in range(attached)]
        for _ in range(kills):
            victim = viewers.pop(chance.randrange(attached))
            lost += not victim.end(signal.SIGKILL)
            viewers.append(seats.enter_context(viewing(run)))
        lost += cost(run, trained.pid) > DEARER * before
    lost += worker(run) != trained or not liveness.is_alive(trained)
    run.command("stop")
    until(in_state(run, "stopped"), 60)
    scorecard(row=6, tried=kills, lost=lost)


def test_a_studio_that_is_told_to_leave_does_so(store: Store, scorecard: Entry) -> None:
    with viewing(create(store, small())) as viewer:
        scorecard(row=6, tried=1, lost=int(not viewer.end(signal.SIGTERM)))


def cost(run: Run, pid: int) -> float:
    """Seconds of a processor that a step takes, over some hundred of them."""
    first, begun = run.status().step, cpu_seconds(pid)
    until(lambda: run.status().step >= first + STEPS, 120)
    return (cpu_seconds(pid) - begun) / (run.status().step - first)
