"""Row 12: a disk that is full, at any moment of a run: while it writes records, samples, a
checkpoint, its status.

There is one clear end (74), on record and in the status, for which a reserve has kept the room; the
last checkpoint that was announced is whole; when there is room again the run goes on and ends in
the bits of an undisturbed one.
"""

from pathlib import Path

import pytest
from real_runs import Outcome, create, in_state, told, undisturbed
from waiting import until

from backends import checkpoints
from backends.records import Checkpoint, End, RunSpec
from faults.disks import PAGE, Disk
from faults.forked import work
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import launch, reserve
from genai_tui.run import Run
from genai_tui.store import Store

STEPS = 30
LEAST = reserve.BYTES + 5 * PAGE
"""A run begins with this much: its folders, its reserve, its first status."""


def spec_of() -> RunSpec:
    return small(steps=STEPS, checkpoint_every=5, sample_every=10, keep_checkpoints=2)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return undisturbed(spec_of(), tmp_path_factory.mktemp("straight"))


@counts("times", quick=6, full=100)
def test_a_disk_may_be_full_at_any_moment(
    times: int, disk: Disk, straight: Outcome, scorecard: Entry
) -> None:
    store = Store(disk.root / "runs")
    most = needed(store, disk)
    full = lost = 0
    for turn in range(times):
        run = create(store, spec_of())
        disk.leave(LEAST + (most - LEAST) * turn // times)
        code = work(run, STEPS)
        if code:
            full += 1
            lost += not ended_well(run, code)
            disk.make_room()
            assert work(run, STEPS, 2) == 0
        lost += not straight.is_that_of(run)
        run.delete()
        disk.make_room()
    assert full > 0.8 * times
    scorecard(row=12, tried=full, lost=lost)


@counts("times", quick=4, full=40)
def test_records_and_statuses_may_fill_the_disk(
    times: int, disk: Disk, tmp_path: Path, scorecard: Entry
) -> None:
    """Nothing that is thrown away then makes room by itself, as a half-written checkpoint does.

    There are so many records that they would fill the reserve as well, if it were not taken.
    """
    store, steps = Store(disk.root / "runs"), 600
    spec = small(steps=steps, checkpoint_every=0, sample_every=0, validate_every=0)
    straight = undisturbed(spec, tmp_path / "straight")
    run, before = create(store, spec), disk.free
    assert work(run, 1) == 0
    last = (run.path / "checkpoints/step-000001").rglob("*")
    least = before - disk.free + reserve.BYTES - sum(512 * path.stat().st_blocks for path in last)
    full = lost = 0
    for turn in range(times):
        run.delete()
        disk.make_room()
        run = create(store, spec)
        disk.leave(least + PAGE * (turn % 12))
        code = work(run, steps)
        if code:
            full += 1
            lost += not ended_well(run, code)
            assert run.status().step < steps  # it was not the checkpoint of the end
            disk.make_room()
            assert work(run, steps, 2) == 0
        lost += not straight.is_that_of(run)
    assert full > 0.8 * times
    scorecard(row=12, tried=full, lost=lost)


def needed(store: Store, disk: Disk) -> int:
    """About what a whole run takes, with what it needs while it writes."""
    run, before = create(store, spec_of()), disk.free
    assert work(run, STEPS) == 0
    taken = before - disk.free
    run.delete()
    return taken + reserve.BYTES


def ended_well(run: Run, code: int) -> bool:
    status, end = run.status(), told(run, End)
    found = checkpoints.load_newest(run.path / "checkpoints")
    announced = [record.step for record in told(run, Checkpoint)]
    hidden = [path.name for path in run.path.rglob(".*") if path.name != reserve.NAME]
    return (
        (code, status.state, status.exit_code) == (74, "failed", 74)
        and status.reason.startswith("No space left on device")
        and [(record.state, record.exit_code) for record in end] == [("failed", 74)]
        and end[0].reason == status.reason
        and (found is None or not found[2])
        and (not announced or (found is not None and found[0] >= announced[-1]))
        and hidden == []
    )


def test_the_keeper_says_the_same_and_does_not_try_again(
    disk: Disk, straight: Outcome, scorecard: Entry
) -> None:
    store = Store(disk.root / "runs")
    run = create(store, spec_of())
    disk.leave(LEAST + 24 * PAGE)
    launch.start(run)
    until(in_state(run, "failed"), 60)
    until(lambda: not run.is_held())
    assert ended_well(run, 74)
    assert run.status().restarts == 0
    assert run.status().keeper is not None
    disk.make_room()
    launch.resume(run)
    until(in_state(run, "finished"), 60)
    scorecard(row=12, tried=1, lost=not straight.is_that_of(run))


def test_the_reserve_is_there_while_a_run_trains_and_no_longer(store: Store) -> None:
    run = create(store, spec_of())
    assert work(run, STEPS) == 0
    assert not (run.path / reserve.NAME).exists()
    reserve.hold(run.path)
    assert (run.path / reserve.NAME).stat().st_blocks * 512 >= reserve.BYTES
    reserve.release(run.path)
