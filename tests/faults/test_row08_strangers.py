"""Row 8: a pid that was given to somebody else, locks that nobody holds, a zombie.

A stranger is never signalled and never taken for the worker; a lock is worth what its holder is
worth; a dead process that nobody has waited for is dead.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_runs import create, gone, in_state, keeper, told, worker
from waiting import python, ready, until

from backends import records
from backends.records import Process, Status
from faults.processes import naming
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import launch, liveness, processes, signalling
from genai_tui.liveness import Identity
from genai_tui.store import Run, RunError, Store
from genai_tui.telemetry.record import Process as Row

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
PR_SET_CHILD_SUBREAPER = 36
ASLEEP = "import time; time.sleep(600)"
NOTES_SIGNALS = (
    "import signal; signal.signal(15, lambda *_: print('hit', flush=True));"
    "print('ready', flush=True); input()"
)

needs_pids = pytest.mark.skipif(
    not os.access(LAST_PID, os.W_OK), reason="the next pid can be chosen by root alone"
)


@pytest.fixture
def reaper() -> Iterator[None]:
    """This process waits for what the runs leave behind: until somebody does, a pid is taken."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def bury(run: Run, pair: list[Identity]) -> None:
    """Waits for a keeper and worker that were killed, and for the poller, of the same session."""
    pollers = naming(run.path, "telemetry")
    for process in pair:
        os.waitpid(process.pid, 0)
    for pid in pollers:
        os.waitpid(pid, 0)


@needs_pids
@pytest.mark.usefixtures("reaper")
@counts("deaths", quick=1, full=20)
def test_a_stranger_with_a_reused_pid_is_never_signalled_and_never_ours(
    deaths: int, store: Store, torch_is: Callable[[str], None], scorecard: Entry
) -> None:
    torch_is(ASLEEP)
    tried = lost = 0
    for _ in range(3 * deaths):
        run = create(store, small())
        launch.start(run)
        pair = [keeper(run), worker(run)]
        until(lambda run=run: naming(run.path, "telemetry"))
        for process in pair:
            liveness.send(process, signal.SIGKILL)
        bury(run, pair)
        strangers = [stranger for process in pair if (stranger := with_pid(process.pid))]
        if len(strangers) < len(pair):  # somebody else was faster
            for stranger in strangers:
                stranger.communicate(b"\n", timeout=10)
            continue
        lost += takes_for_its_own(run, pair)
        launch.resume(run)  # a stale status and stale locks are no obstacle
        until(in_state(run, "starting"))
        run.command("stop")
        until(in_state(run, "stopped"), 30)
        for stranger in strangers:
            said, _ = stranger.communicate(b"\n", timeout=10)
            lost += bool(said) or stranger.returncode != 0
        tried += len(pair)
        if tried == len(pair) * deaths:
            break
    scorecard(row=8, tried=tried, lost=lost)


def with_pid(pid: int) -> subprocess.Popen[bytes] | None:
    """A stranger's process that the kernel gives this very pid; None if others got it."""
    for _ in range(50):  # others start processes too
        LAST_PID.write_text(str(pid - 1))
        process = python(NOTES_SIGNALS)
        if process.pid == pid:
            ready(process)
            return process
        process.kill()
        process.communicate()
    return None


def takes_for_its_own(run: Run, pair: list[Identity]) -> int:
    """How often a stranger is taken for a process of the run, or signalled in its place."""
    taken = int(run.state() != "interrupted") + int(run.is_held())
    for process in pair:
        taken += liveness.is_alive(process)
        taken += liveness.send(process, signal.SIGTERM)
        row = Row(process.pid, os.getpid(), process.started, user="me", own=True)
        told_off = signalling.send(processes.Row(process.pid, row), "TERM")
        taken += told_off != f"Process {process.pid} has ended."
    with pytest.raises(RunError, match="is interrupted"):
        run.command("stop")
    return taken


def test_a_zombie_is_dead(store: Store, torch_is: Callable[[str], None], scorecard: Entry) -> None:
    """A keeper that is stopped does not wait for its worker, which stays a zombie."""
    torch_is(ASLEEP)
    run = create(store, small())
    launch.start(run)
    guard, dead = keeper(run), worker(run)
    liveness.send(guard, signal.SIGSTOP)
    liveness.send(dead, signal.SIGKILL)
    until(gone(dead))
    os.kill(dead.pid, 0)  # its pid is still taken
    until(lambda: not run.liveness().worker)  # its last threads have let go of the lock, too
    lost = int(liveness.send(dead, signal.SIGTERM))
    liveness.send(guard, signal.SIGCONT)
    until(lambda: run.status().restarts == 1 and run.status().worker and worker(run) != dead)
    scorecard(row=8, tried=1, lost=lost)


def test_locks_that_nobody_holds_stop_nobody(
    store: Store, torch_is: Callable[[str], None], scorecard: Entry
) -> None:
    torch_is(ASLEEP)
    run = create(store, small())
    me = liveness.identity(os.getpid())
    for name in ("keeper.lock", "worker.lock"):
        (run.path / name).write_text(f"{me.pid}\n")
    mine = Process(pid=me.pid, started=me.started)
    status = Status(state="running", keeper=mine, worker=mine, boot_id=liveness.boot_id())
    (run.path / "status.json").write_bytes(records.encode(status))
    lost = int(run.state() != "interrupted") + int(run.is_held())
    launch.resume(run)
    lost += run.state() != "starting"
    scorecard(row=8, tried=2, lost=lost)


@pytest.fixture
def old_worker(store: Store) -> Iterator[tuple[Run, subprocess.Popen[bytes]]]:
    """A worker whose keeper died, and that is still saving."""
    run = create(store, small())
    lock = str(run.path / "worker.lock")
    holder = python(
        "from pathlib import Path; from genai_tui import liveness;"
        f"liveness.hold_worker(Path({lock!r})); print('ready', flush=True); input()"
    )
    ready(holder)
    yield run, holder
    holder.kill()
    holder.communicate()


def test_a_worker_waits_for_one_that_still_saves(
    old_worker: tuple[Run, subprocess.Popen[bytes]],
    torch_is: Callable[[str], None],
    tmp_path: Path,
    scorecard: Entry,
) -> None:
    run, holder = old_worker
    torch_is(f"open({str(tmp_path / 'here')!r}, 'w'); {ASLEEP}")
    launch.start(run)
    until(lambda: b"waiting" in run.console.read_bytes())
    lost = bool(told(run)) + (tmp_path / "here").exists()
    holder.kill()
    until(lambda: (tmp_path / "here").exists())
    lost += (run.state(), run.status().attempt) != ("starting", 1)
    scorecard(row=8, tried=1, lost=lost)
