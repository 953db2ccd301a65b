"""Row 18: out of memory, as a device says it, as the allocator says it, as the kernel kills for it.

What must hold: where it is asked for, one retry from the last checkpoint with each batch in twice
as many parts, which ends in the bits of a training that was told so from there on; else the run
ends with 70 and one sentence on what did not fit, and is not restarted. A worker that the kernel
killed for want of memory is said to be that; one that somebody else killed is not.
"""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from real_runs import create, in_state, reached, told, worker
from tiny import Inbox, Tiny, command, points, run, same, tiny
from waiting import until

from backends import checkpoints
from backends.memory import MemoryFullError, fitted
from backends.model import Batch, Losses, Samples
from backends.records import Checkpoint, End, Mark, Record, SampleRequest, Start
from faults.plugin import Faults, faulty
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.memory_kills import MemoryKills
from genai_tui.store import Run, Store

STEPS, BATCH = 12, 8
ROOM = 1 << 30
"""Bytes that a worker may take beside its program."""
CGROUPS = Path("/sys/fs/cgroup/memory")
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB"


class Large(Tiny):
    """From step ``at`` on, counted from 1, more than ``most`` items do not fit."""

    at, most = 1, BATCH

    def loss(self, batch: Batch) -> Losses:
        if (
            self.training
            and round(batch.progress * STEPS) + 1 >= self.at
            and len(batch.x) > self.most
        ):
            raise torch.OutOfMemoryError(FULL)
        return super().loss(batch)


def large(at: int, most: int, seed: int = 0) -> Large:
    model = tiny(Large, seed)
    assert isinstance(model, Large)
    model.at, model.most = at, most
    return model


def changes(policy: str) -> dict[str, Any]:
    quiet = {"steps": STEPS, "batch_size": BATCH, "checkpoint_every": 3, "log_every": 2}
    return {**quiet, "memory_policy": policy, "keep_checkpoints": 99}


def final(folder: Path) -> dict[str, Any]:
    found = checkpoints.load_newest(folder / "checkpoints")
    assert found is not None
    return found[1]


def ended(records: list[Record]) -> End:
    end = records[-1]
    assert isinstance(end, End)
    return end


@counts("many", quick=4, full=STEPS)
def test_a_step_that_does_not_fit_is_taken_in_halves_once(
    tmp_path: Path, many: int, scorecard: Entry
) -> None:
    lost = 0
    for at in range(1 if many == STEPS else 2, STEPS + 1, STEPS // many):
        folder = tmp_path / str(at)
        found = run(folder / "a", large(at, BATCH // 2), **changes("halve"))
        known = told_before(folder / "b", (at - 1) // 3 * 3)
        back = [record for record in found if isinstance(record, Start)]
        assert ended(found).state == "finished"
        assert [start.step for start in back] == [0, (at - 1) // 3 * 3]
        assert f"batches of {BATCH} come in 2 parts" in back[1].note
        marks = [r for r in found if isinstance(r, Mark)]
        assert [(mark.verb, mark.answer) for mark in marks] == [
            ("halve", "accepted"),
            ("halve", "done"),
        ]
        lost += not (
            points(found) == points(known) and same(final(folder / "a"), final(folder / "b"))
        )
    scorecard(row=18, tried=many, lost=lost)


def told_before(folder: Path, at: int) -> list[Record]:
    """The same training, which was told at step ``at`` to compute batches in two parts."""
    stop = Inbox({at: [command("stop")]})
    first = run(folder, tiny(), **changes("halve"), inbox=stop)
    root = folder / "checkpoints"
    state = checkpoints.load(checkpoints.folder_of(root, at))
    state["loop"]["overrides"] = {"accumulate": 2}
    checkpoints.save(root, at, state)
    return first + run(folder, tiny(seed=4), **changes("halve"), attempt=2)


def test_halves_are_remembered(tmp_path: Path, scorecard: Entry) -> None:
    straight = run(tmp_path / "a", large(5, BATCH // 2), **changes("halve"))
    stop = Inbox({8: [command("stop")]})
    first = run(tmp_path / "b", large(5, BATCH // 2), **changes("halve"), inbox=stop)
    second = run(tmp_path / "b", large(1, BATCH // 2, seed=7), **changes("halve"), attempt=2)
    assert points([*first, *second]) == points(straight)
    assert same(final(tmp_path / "a"), final(tmp_path / "b"))
    assert not [record for record in second if isinstance(record, Mark) and record.verb == "halve"]
    scorecard(row=18, tried=1, lost=0)


@pytest.mark.parametrize(
    ("policy", "most", "starts"), [("stop", BATCH // 2, 1), ("halve", 0, 2), ("halve", 1, 2)]
)
def test_else_it_ends_and_says_what_did_not_fit(
    tmp_path: Path, policy: str, most: int, starts: int, scorecard: Entry
) -> None:
    found = run(tmp_path, large(5, most), **changes(policy))
    end = ended(found)
    assert (end.state, end.exit_code) == ("failed", 70)
    parts = " in 2 parts" if starts == 2 else ""
    sentence = f"a step of {BATCH} items{parts} did not fit into memory (it asked for 2.00 GiB)"
    assert end.reason.startswith(sentence)
    assert len([record for record in found if isinstance(record, Start)]) == starts
    assert [r for r in found if isinstance(r, Checkpoint)][-1].step == 3
    scorecard(row=18, tried=1, lost=0)


class Thirsty(Tiny):
    """Drawing from it does not fit."""

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        raise MemoryError


def test_samples_that_do_not_fit_are_named(tmp_path: Path, scorecard: Entry) -> None:
    end = ended(run(tmp_path, tiny(Thirsty), **changes("halve"), sample_every=2))
    assert (end.state, end.exit_code) == ("failed", 70)
    assert end.reason == "sampling did not fit into memory: try a lower sample_count"
    scorecard(row=18, tried=1, lost=0)


def test_what_did_not_fit_is_free_before_less_is_tried() -> None:
    held: list[object] = []

    class Block:
        def __del__(self) -> None:
            held.append("freed")

    def work() -> None:
        block = Block()
        raise torch.OutOfMemoryError(FULL, block)

    with pytest.raises(MemoryFullError, match=r"it asked for 2\.00 GiB") as caught:
        fitted(work)
    assert held == ["freed"]
    assert caught.value.__context__ is None


def test_the_hosts_limit_ends_a_run_in_one_sentence(
    store: Store, faults: Faults, scorecard: Entry
) -> None:
    """``ulimit -v``, and a step that asks for ever more."""
    faults.plan("eat", step=25, of=60, once=False)
    run = create(store, faulty(small(steps=60)))
    room = psutil.Process().memory_info().vms + ROOM  # a worker maps no more than these tests
    start_with(run, f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({room}, {room}));")
    until(in_state(run, "failed"), 120)
    status = run.status()
    assert (status.exit_code, status.restarts, status.checkpoint) == (70, 0, 20)
    assert status.reason.startswith("a step of 4 items did not fit into memory (it asked for")
    assert status.reason.endswith("try a lower batch_size, or accumulate=2")
    scorecard(row=18, tried=1, lost=0)


def start_with(run: Run, first: str) -> None:
    code = (
        f"{first} from pathlib import Path; from genai_tui import launch;"
        f"from genai_tui.store import Run; launch.start(Run(Path({str(run.path)!r})))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def tight() -> Iterator[Path]:
    """A group of processes that may have little memory; what is in it is gone afterwards."""
    group = CGROUPS / f"genai-tui-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(900 << 20))
    except OSError as error:
        pytest.skip(f"no group of processes with a limit can be made here: {error}")
    yield group
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


@counts("kills", quick=1, full=4)
def test_a_worker_that_the_kernel_killed_for_memory_is_said_to_be_that(
    kills: int, store: Store, faults: Faults, tight: Path, scorecard: Entry
) -> None:
    faults.plan("eat", step=25, of=60, once=False)
    run = create(store, faulty(small(steps=60)))
    into = f"import os; open({str(tight / 'cgroup.procs')!r}, 'w').write(str(os.getpid()));"
    start_with(run, into)
    said = "killed by SIGKILL, for want of memory: the kernel says so, and it had "
    until(lambda: run.console.read_text().count(f"the worker ended ({said}") >= min(3, kills), 240)
    if kills > 3:  # the last one is for the reader of the run
        until(in_state(run, "failed"), 60)
        assert run.status().reason.startswith(said)
        assert " of 0.9 GiB, 4 times without a new checkpoint" in run.status().reason
    scorecard(row=18, tried=kills, lost=0)


def test_a_worker_that_somebody_killed_is_not(store: Store, scorecard: Entry) -> None:
    run = create(store, small(steps=3000))
    launch.start(run)
    until(reached(run, 5), 60)
    assert liveness.send(worker(run), signal.SIGKILL)
    until(lambda: "restarting" in run.status().phase or len(told(run, Start)) > 1, 60)
    assert "the worker ended (killed by SIGKILL); restarting" in run.console.read_text()
    scorecard(row=18, tried=1, lost=0)


@pytest.mark.parametrize(
    ("own", "host", "peak", "said"),
    [
        (1, 1, 0, "for want of memory: the kernel says so"),
        (0, 1, 0, "most likely for want of memory: the kernel killed"),
        (0, 0, 1 << 60, "most likely for want of memory: it had"),
        (0, 0, 0, ""),
        (None, None, 0, "perhaps for want of memory"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_what_speaks_for_want_of_memory(
    tmp_path: Path, own: int | None, host: int | None, peak: int, said: str, version: int
) -> None:
    """The counters of both versions of control groups, and the host's."""
    name = "memory.oom_control" if version == 1 else "memory.events"
    line, root = ("4:memory:/a/b", "cg/memory/a/b") if version == 1 else ("0::/a/b", "cg/a/b")
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"9:name=systemd:/\n{line}\n")
    (tmp_path / root).mkdir(parents=True)

    def count(path: Path, number: int | None) -> None:
        if number is not None:
            path.write_text(f"low 0\noom_kill {number}\n")

    count(tmp_path / root / name, None if own is None else 0)
    count(tmp_path / "proc/vmstat", None if host is None else 0)
    kills = MemoryKills(tmp_path / "proc", tmp_path / "cg")
    count(tmp_path / root / name, own)
    count(tmp_path / "proc/vmstat", host)
    verdict = kills.verdict(peak)
    assert verdict.startswith(said)
    assert bool(verdict) == bool(said)
