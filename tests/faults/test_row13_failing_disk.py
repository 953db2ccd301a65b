"""Row 13: the disk says that it failed (EIO) when a checkpoint is flushed or gets its name.

That checkpoint is discarded and the run says so; the older ones stand; the training goes on, saves
the next one, and ends in the bits of an undisturbed run. A disk that goes on failing ends it (74),
and what was announced before is whole.
"""

import errno
import os
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_runs import Outcome, create, in_state, told, undisturbed
from waiting import until

from backends import checkpoints
from backends.archive import MOST_FAILURES
from backends.records import Checkpoint, End, Notice
from faults.forked import work
from faults.preload import built
from faults.scorecard import Entry, counts, long
from faults.small import small
from genai_tui import launch
from genai_tui.store import Store

STEPS, EVERY = 20, 5
CALLS = ("fsync", "fdatasync", "rename")
KEPT = 4
SPEC = small(
    steps=STEPS, checkpoint_every=EVERY, keep_checkpoints=KEPT, sample_every=0, validate_every=0
)
Fail = Callable[[str, str], Callable[[], list[str]]]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return undisturbed(SPEC, tmp_path_factory.mktemp("straight"))


def failing(first: int, last: float, counted: Path) -> Callable[[], None]:
    """Makes the calls ``first`` to ``last`` of those who write checkpoints fail, from 0."""
    calls = 0

    def fail(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            if threading.current_thread().name.startswith("checkpoint"):
                calls += 1
                counted.write_text(str(calls))
                if first < calls <= last + 1:
                    names = [frame.name for frame in traceback.extract_stack()]
                    counted.with_suffix(".in").write_text("prune" if "prune" in names else "save")
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*arguments, **options)

        return call

    def put() -> None:
        for name in CALLS:
            setattr(os, name, fail(name))

    return put


@counts("times", quick=11, full=10_000)
def test_a_checkpoint_that_failed_is_discarded_and_said_to_be(
    times: int, store: Store, tmp_path: Path, straight: Outcome, scorecard: Entry
) -> None:
    """Every call of every checkpoint of the run, one a run; or those of one of them."""
    counted = tmp_path / "calls"
    run = create(store, SPEC)
    assert work(run, STEPS, before=failing(10**9, 0, counted)) == 0
    calls = int(counted.read_text())
    assert calls > 4 * STEPS // EVERY
    tried = lost = 0
    first = 0 if times > calls else calls // len(range(0, STEPS + 1, EVERY))
    for number in range(first, min(calls, first + times)):
        run = create(store, SPEC)
        code = work(run, STEPS, before=failing(number, number, counted))
        tried += 1
        said = [note for note in told(run, Notice) if "was discarded" in note.text]
        # What fails after a checkpoint has its name, as it makes room, does not undo it.
        undone = int(counted.with_suffix(".in").read_text() == "save")
        well = [note.level for note in said] == ["error"] * undone
        announced = [record.step for record in told(run, Checkpoint)]
        there = checkpoints.steps(run.path / "checkpoints")
        well = well and code == 0 and straight.is_that_of(run)
        well = well and (there == announced[-KEPT:] or not undone)
        lost += not well
    scorecard(row=13, tried=tried, lost=lost)


@counts("times", quick=3, full=10)
def test_a_disk_that_goes_on_failing_ends_the_run(
    times: int, store: Store, tmp_path: Path, straight: Outcome, scorecard: Entry
) -> None:
    lost = 0
    for turn in range(times):
        run = create(store, SPEC)
        code = work(run, STEPS, before=failing(12 + turn, float("inf"), tmp_path / "calls"))
        status, found = run.status(), checkpoints.load_newest(run.path / "checkpoints")
        announced = [record.step for record in told(run, Checkpoint)]
        assert found is not None
        assert (code, status.state, status.exit_code) == (74, "failed", 74)
        assert status.reason.startswith("Input/output error")
        assert [end.exit_code for end in told(run, End)] == [74]
        assert len([n for n in told(run, Notice) if "was discarded" in n.text]) == 2
        # A name that a dead disk does not take back stays, and is whole all the same.
        lost += found[0] < announced[-1] or bool(found[2])
        assert work(run, STEPS, 2) == 0
        lost += not straight.is_that_of(run)
    scorecard(row=13, tried=times, lost=lost)


# ------------------------------------------------------------------ a real worker and its keeper


@pytest.fixture
def fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Has a call of all processes started from now on fail on paths that match; asked again, it
    tells which did."""
    monkeypatch.setenv("LD_PRELOAD", str(built("eio", tmp_path)))
    monkeypatch.setenv("GENAI_TUI_TEST_EIO", str(rule := tmp_path / "rule"))

    def begin(call: str, pattern: str) -> Callable[[], list[str]]:
        rule.write_text(f"{call} {pattern}")
        return lambda: rule.with_name("rule.failed").read_text().splitlines()

    return begin


HIDDEN = "*/checkpoints/.tmp-000010-*"
RULES = (
    ("fsync", f"{HIDDEN}/model.safetensors"),
    ("fsync", f"{HIDDEN}/manifest.json"),
    ("fsync", HIDDEN),
    ("rename", "*/checkpoints/step-000010"),
)


@pytest.mark.parametrize("rule", [RULES[0], *map(long, RULES[1:])])
def test_a_checkpoint_of_a_real_worker_is_discarded(
    rule: tuple[str, str], fail: Fail, store: Store, straight: Outcome, scorecard: Entry
) -> None:
    failed, run = fail(*rule), create(store, SPEC)
    launch.start(run)
    until(in_state(run, "finished"), 60)
    assert len(failed()) == 1
    said = [note.text for note in told(run, Notice) if note.level == "error"]
    assert said == [
        "the checkpoint at step 10 was discarded: the disk failed to take it (Input/output error); "
        "the older ones stand"
    ]
    assert checkpoints.steps(run.path / "checkpoints") == [0, 5, 15, 20]
    assert [record.step for record in told(run, Checkpoint)] == [0, 5, 15, 20]
    scorecard(row=13, tried=1, lost=not straight.is_that_of(run))


@pytest.mark.parametrize(
    "path", [long(f"*/.tmp-0000[12]*/{name}") for name in ("state.json", "m*")]
)
def test_a_disk_that_goes_on_failing_ends_a_real_worker(
    path: str, fail: Fail, store: Store, straight: Outcome, scorecard: Entry
) -> None:
    failed, run = fail("fsync", path), create(store, SPEC)
    launch.start(run)
    until(in_state(run, "failed"), 60)
    until(lambda: not run.is_held())
    status = run.status()
    assert len(failed()) == MOST_FAILURES
    assert (status.exit_code, status.restarts) == (74, 0)
    assert status.reason.startswith("Input/output error")
    assert checkpoints.steps(run.path / "checkpoints") == [0, 5]
    fail("fsync", "/nothing")
    launch.resume(run)
    until(in_state(run, "finished"), 60)
    scorecard(row=13, tried=1, lost=not straight.is_that_of(run))
