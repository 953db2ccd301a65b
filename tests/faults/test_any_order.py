"""All faults in any order: a run is started, killed, stopped, paused, damaged, starved of disk,
resumed and forked, as hypothesis likes it, and in the end it is what an undisturbed run is.

Keepers and workers are processes of their own, killed by real signals, on a file system of their
own that is really full; they are forked off a process that has imported everything.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from real_runs import Outcome, create, in_state, outcome, told, undisturbed
from tiny import same
from waiting import until

from backends import checkpoints
from backends.records import Checkpoint, Mark, RunSpec, Step
from faults.small import small
from faults.zygote import Zygote
from genai_tui import launch, liveness
from genai_tui.launch import LaunchError
from genai_tui.lineage import WEIGHTS, keep, origin
from genai_tui.liveness import Identity
from genai_tui.store import LIVE, RunError, Store

STEPS, FORK_STEPS = 120, 5
DISK_BYTES = 24 << 20
PAGE = 4096
WHO = st.sampled_from(["keeper", "worker", "both"])
MOMENT = st.floats(0, 0.05)
PLACE = st.floats(0, 1, exclude_max=True)


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """A small file system of our own; an ordinary folder where nobody may mount one."""
    path = Path(tempfile.mkdtemp(prefix="genai-tui-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(path)]
    mounted = os.getuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    yield path
    if mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def forked() -> Generator[Zygote]:
    zygote = Zygote()
    with pytest.MonkeyPatch.context() as patch:
        zygote.put_in_place(patch)
        yield zygote
    zygote.close()


class AnyOrder(RuleBasedStateMachine):
    """One run, and what is known of it."""

    disk: ClassVar[Path]
    spec: ClassVar[RunSpec]
    straight: ClassVar[Outcome]
    steps_taken: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(self.disk / "runs")
        self.run = create(self.store, self.spec)
        self.root = self.run.path / "checkpoints"
        self.ballast = self.disk / "ballast"
        self.seen = b""
        self.damaged: set[int] = set()
        """Steps whose record was hit by a fault of the disk: they alone may be missing."""

    # ------------------------------------------------------------------ what a user does

    @initialize(steps=st.integers(0, 60))
    def begin(self, steps: int) -> None:
        launch.start(self.run)
        self.train(steps)

    @rule()
    def start(self) -> None:
        state, full = self.run.state(), self.is_full
        try:
            launch.resume(self.run)
        except LaunchError:
            assert full or state in (*LIVE, "finished") or self.run.state() == "finished"

    @rule(steps=st.integers(1, 60))
    def train(self, steps: int) -> None:
        aim = self.run.status().step + steps
        until(lambda: not self.is_training or self.run.status().step >= aim, 60)

    @rule(verb=st.sampled_from(["pause", "resume", "checkpoint", "stop"]))
    @precondition(lambda self: not self.is_full)
    def order(self, verb: str) -> None:
        try:
            asked = self.run.command(verb)  # pyright: ignore[reportArgumentType]
        except RunError:
            assert not self.is_live
            return
        until(lambda: not self.is_live or self.is_answered(asked.id), 60)
        if verb == "stop":
            until(lambda: not self.is_live, 60)

    @rule()
    @precondition(lambda self: not self.is_full)
    def fork(self) -> None:
        newest = max(checkpoints.steps(self.root), default=0)
        try:
            begin = origin(self.store, f"{self.run.id}@{newest}")
            weights = begin.weights.read_bytes()
            spec = {"parent": self.run.id, "parent_step": newest}
            child = create(self.store, self.spec, **spec)
            keep(begin, child.path)
        except (RunError, OSError):  # it was pruned just now, or damaged before
            assert self.is_live or newest not in self.intact
            return
        launch.start(child, FORK_STEPS)
        until(in_state(child, "finished"), 60)
        assert (child.path / WEIGHTS).read_bytes() == weights
        until(lambda: not child.is_held())
        child.delete()

    # ------------------------------------------------------------------ what goes wrong

    @rule(who=WHO, moment=MOMENT)
    def kill(self, who: str, moment: float) -> None:
        time.sleep(moment)  # the fault is to die at any moment
        for process in self.processes(who):
            liveness.send(process, signal.SIGKILL)

    @rule(who=WHO, moment=MOMENT)
    def terminate(self, who: str, moment: float) -> None:
        time.sleep(moment)
        for process in self.processes(who):
            liveness.send(process, signal.SIGTERM)

    @rule(file=PLACE, place=PLACE, bit=st.integers(0, 7))
    def damage_the_newest_checkpoint(self, file: float, place: float, bit: int) -> None:
        """Unless it is the only one: what is lost with the last one is lost."""
        self.crash()
        if len(self.intact) < 2 or self.run.state() == "finished":
            return
        folder = checkpoints.folder_of(self.root, self.intact[-1])
        names = sorted(path.name for path in folder.iterdir())
        flip(folder / names[int(file * len(names))], place, bit)

    @rule(place=PLACE, bit=st.integers(0, 7))
    def damage_the_log(self, place: float, bit: int) -> None:
        self.crash()
        if not self.run.records.exists():
            return
        before = {record.step for record in told(self.run, Step)}
        flip(self.run.records, place, bit)
        lost = before - {record.step for record in told(self.run, Step)}
        assert len(lost) <= 2
        self.damaged |= lost
        self.seen = self.run.records.read_bytes()

    @rule(half=st.binary(min_size=1, max_size=80).filter(lambda data: b"\n" not in data))
    @precondition(lambda self: not self.is_full)
    def tear_the_log(self, half: bytes) -> None:
        self.crash()
        with self.run.records.open("ab") as file:
            file.write(half)

    @rule(pages=st.integers(0, 60))
    @precondition(lambda self: not self.is_full and os.path.ismount(self.disk))
    def fill_the_disk(self, pages: int) -> None:
        """All but so many pages."""
        with self.ballast.open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 20))
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(PAGE))
            os.truncate(file.fileno(), max(PAGE, file.tell() - pages * PAGE))

    @rule()
    @precondition(lambda self: self.is_full)
    def make_room(self) -> None:
        self.ballast.unlink()

    def crash(self) -> None:
        """The machine goes down."""
        while self.run.is_held():
            for process in self.processes("both"):
                liveness.send(process, signal.SIGKILL)

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def nothing_on_record_is_lost(self) -> None:
        type(self).steps_taken += 1
        now = self.run.records.read_bytes() if self.run.records.exists() else b""
        assert now.startswith(self.seen)
        self.seen = now

    @invariant()
    def an_announced_checkpoint_is_there(self) -> None:
        announced = [record.step for record in told(self.run, Checkpoint)]
        if announced:
            assert checkpoints.steps(self.root)[-1] >= max(announced)

    def teardown(self) -> None:
        try:
            self.finish()
            self.ends_as_if_nothing_had_happened()
        finally:
            self.crash()
            self.ballast.unlink(missing_ok=True)
            shutil.rmtree(self.store.root)

    def finish(self) -> None:
        self.ballast.unlink(missing_ok=True)
        while self.run.state() != "finished":
            until(lambda: not self.is_training, 60)
            if self.run.state() == "paused":
                with contextlib.suppress(RunError):
                    self.run.command("resume")
                until(lambda: self.run.state() != "paused", 60)
            elif not self.is_live:
                until(lambda: not self.run.is_held(), 60)
                self.start()

    def ends_as_if_nothing_had_happened(self) -> None:
        found = outcome(self.run.path, told(self.run))
        assert set(self.straight.series) - set(found.series) <= self.damaged
        assert all(self.straight.series[step] == values for step, values in found.series.items())
        assert same(found.state, self.straight.state)
        assert found.samples == self.straight.samples
        assert not [path for path in self.run.path.rglob(".*") if path.parent != self.run.control]

    # ------------------------------------------------------------------ how it stands

    @property
    def is_live(self) -> bool:
        return self.run.state() in LIVE

    @property
    def is_training(self) -> bool:
        return self.run.state() in ("starting", "running")

    @property
    def is_full(self) -> bool:
        return self.ballast.exists()

    @property
    def intact(self) -> list[int]:
        return [step for step in checkpoints.steps(self.root) if self.verifies(step)]

    def verifies(self, step: int) -> bool:
        try:
            checkpoints.verify(checkpoints.folder_of(self.root, step))
        except checkpoints.CheckpointError:
            return False
        return True

    def is_answered(self, command: str) -> bool:
        return any(mark.id == command for mark in told(self.run, Mark))

    def processes(self, who: str) -> list[Identity]:
        status = self.run.status()
        pair = {"keeper": status.keeper, "worker": status.worker}
        named = [pair[name] for name in ("keeper", "worker") if who in (name, "both")]
        return [Identity(one.pid, one.started) for one in named if one is not None]


def flip(path: Path, place: float, bit: int) -> None:
    """Changes one bit of a file, at a place from 0 to 1."""
    content = bytearray(path.read_bytes())
    if content:
        content[int(place * len(content))] ^= 1 << bit
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("examples", "steps"), [(4, 12), pytest.param(60, 25, marks=pytest.mark.faults_long)]
)
def test_a_run_survives_all_faults_in_any_order(
    examples: int, steps: int, disk: Path, forked: Zygote, tmp_path: Path
) -> None:
    del forked
    AnyOrder.disk, AnyOrder.spec = disk, small("vae/mlp", STEPS)
    AnyOrder.straight = undisturbed(AnyOrder.spec, tmp_path / "straight")
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],  # what processes do is never the same again
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    print(f"{AnyOrder.steps_taken} rules were followed")
