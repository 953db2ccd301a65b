"""Row 9: a worker is killed while children of its own live, such as those that load its data.

A second later no process of that attempt is left, in whatever group or session it hides, whether it
heeds a SIGTERM or not. When the keeper is killed, its worker takes them along as it leaves.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from real_runs import create, gone, keeper, worker
from waiting import until

from faults.processes import below, given
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.liveness import Identity
from genai_tui.store import Run, Store

FEEDING = Path(__file__).parent / "feeding"
GONE_SECONDS = 1.0
BROOD = """
import __main__, os, signal, sys, time

def child(session=False, orphan=False):
    if os.fork():
        return
    if orphan and os.fork():
        os._exit(0)
    if session:
        os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open({folder!r} + f"/{{os.getpid()}}", "w").close()
    while True:
        time.sleep(60)

if "genai_tui.worker" in sys.orig_argv:
    child()
    child(orphan=True)
    child(session=True)
    child(session=True, orphan=True)
    while not __main__.term_requested():
        time.sleep(0.01)
    raise ImportError("told to leave")
"""


@pytest.fixture
def brood(tmp_path: Path, torch_is: Callable[[str], None]) -> Path:
    """Workers have four children, each of which leaves a file here; two have left the group, and
    two have no parent any more."""
    folder = tmp_path / "brood"
    folder.mkdir()
    torch_is(BROOD.format(folder=str(folder)))
    return folder


def born(brood: Path) -> list[Identity]:
    """The four children of an attempt, once all are there."""
    until(lambda: len(list(brood.iterdir())) == 4)
    found = [liveness.identity(int(path.name)) for path in brood.iterdir()]
    for path in brood.iterdir():
        path.unlink()
    return found


@counts("kills", quick=3, full=50)
def test_no_child_outlives_a_worker_that_is_killed(
    kills: int, store: Store, brood: Path, scorecard: Entry
) -> None:
    lost = killed = 0
    while killed < kills:
        run = create(store, small())
        launch.start(run)
        for _ in range(min(3, kills - killed)):  # more in a row, and the keeper gives up
            children = born(brood)
            assert all(liveness.is_alive(child) for child in children)
            assert liveness.send(worker(run), signal.SIGKILL)
            lost += not left_in_time(children)
            killed += 1
        liveness.send(keeper(run), signal.SIGTERM)
        until(lambda run=run: not run.is_held())
        lost += len(given(str(run.path)))
    scorecard(row=9, tried=killed, lost=lost)


def left_in_time(children: list[Identity]) -> bool:
    try:
        until(gone(*children), GONE_SECONDS)
    except AssertionError:
        return False
    return True


def test_a_worker_whose_keeper_is_killed_takes_its_children_along(
    store: Store, brood: Path, scorecard: Entry
) -> None:
    run = create(store, small())
    launch.start(run)
    children, orphaned = born(brood), worker(run)
    assert liveness.send(keeper(run), signal.SIGKILL)
    until(gone(orphaned), 10)
    lost = not left_in_time(children)
    until(lambda: not given(str(run.path)), 10)
    scorecard(row=9, tried=1, lost=int(lost))


@pytest.mark.faults_long
def test_no_loader_of_pytorch_outlives_a_worker_that_is_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch, scorecard: Entry
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FEEDING), prepend=os.pathsep)
    lost = killed = 0
    for _ in range(3):
        run = create(store, small("vae/mlp", 10**6))
        launch.start(run)
        for attempt in range(1, 4):
            until(lambda run=run, n=attempt: run.status().attempt == n and running(run), 60)
            children = [liveness.identity(pid) for pid in below(worker(run).pid)]
            assert len(children) >= 2
            assert liveness.send(worker(run), signal.SIGKILL)
            lost += not left_in_time(children)
            killed += 1
        liveness.send(keeper(run), signal.SIGTERM)
        until(lambda run=run: not run.is_held(), 60)
        lost += len(given(str(run.path)))
    scorecard(row=9, tried=killed, lost=lost)


def running(run: Run) -> bool:
    return run.state() == "running"
