"""Row 3: kill -9 of keeper and worker at once; then a boot id that changed.

The run reads interrupted within two seconds, one key resumes it, and it ends bit-identical. After a
reboot the pids on record mean other processes: none of them is taken for the run's, or signalled.
"""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from real_runs import create, gone, in_state, keeper, told, undisturbed, worker
from studio import until as until_in_app
from waiting import python, ready, until

from backends import records
from backends.records import Process, Start, Status
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui import launch, liveness
from genai_tui.app import StudioApp
from genai_tui.store import Run, RunError, Store, write_atomic

SHORT, STEPS = 200, 600
SEEN_SECONDS = 2.0
ANOTHER_BOOT = "00000000-0000-4000-8000-000000000000"


@counts("kills", quick=1, full=20)
async def test_one_key_resumes_a_run_whose_keeper_and_worker_were_killed(
    kills: int, store: Store, tmp_path: Path, scorecard: Entry
) -> None:
    spec = small("gan/dcgan", SHORT if kills == 1 else STEPS)
    straight = undisturbed(spec, tmp_path / "straight")
    chance = random.Random(3)
    killed = lost = 0
    while killed < kills:
        run = create(store, spec)
        launch.start(run)
        while killed < kills and shoot_both(run, chance):
            killed += 1
            until(in_state(run, "interrupted"), SEEN_SECONDS)
            status = run.status()
            forge(run, msgspec.structs.replace(status, boot_id=ANOTHER_BOOT))
            lost += run.state() != "interrupted"
            await resume_with_one_key(store, run)
        until(in_state(run, "finished"), 120)
        lost += run.status().boot_id != liveness.boot_id()
        lost += not straight.is_that_of(run)
    scorecard(row=3, tried=killed, lost=lost)


def shoot_both(run: Run, chance: random.Random) -> bool:
    """Kills both at a random moment; False if the run was finished first."""
    before = len(told(run, Start))
    until(lambda: run.state() == "finished" or not gone(worker(run))(), 60)
    if before == 0 or chance.random() < 0.8:
        until(lambda: len(told(run, Start)) > before, 60)
        until(lambda: (run.status().checkpoint or 0) > 0, 60)
    time.sleep(chance.uniform(0, 0.5))  # the fault is to die at any moment
    if run.state() == "finished":
        return False
    for process in (keeper(run), worker(run)):
        liveness.send(process, signal.SIGKILL)
    return run.state() != "finished"


async def resume_with_one_key(store: Store, run: Run) -> None:
    """What a user does who comes back: looks at the run, and presses r."""
    app = StudioApp(store, open_run=run)
    async with app.run_test() as pilot:
        await until_in_app(pilot, lambda: app.screen.query("#state"))
        await pilot.press("r")
        await until_in_app(pilot, lambda: run.state() != "interrupted", 30)


def forge(run: Run, status: Status) -> None:
    write_atomic(run.path / "status.json", records.encode(status))


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else's program, which notes any signal."""
    process = python(
        "import signal; signal.signal(15, lambda *_: print('hit', flush=True));"
        "print('ready', flush=True); input()"
    )
    ready(process)
    yield process
    process.kill()
    process.communicate()


def test_after_a_reboot_a_stranger_with_the_keepers_pid_is_left_in_peace(
    store: Store, stranger: subprocess.Popen[bytes], scorecard: Entry
) -> None:
    """The worst case: the pid and even the start time are those of the keeper before."""
    run = create(store, small())
    found = liveness.identity(stranger.pid)
    process = Process(pid=found.pid, started=found.started)
    for state in ("starting", "running", "paused"):
        forge(run, Status(state=state, boot_id=ANOTHER_BOOT, keeper=process, worker=process))
        assert run.state() == "interrupted"
        with pytest.raises(RunError, match="is interrupted"):
            run.command("stop")
    lock = str(run.path / "keeper.lock")
    new_keeper = python(  # it has the lock and has not yet written who it is
        "from pathlib import Path; from genai_tui import liveness;"
        f"liveness.hold_keeper(Path({lock!r})); print('ready', flush=True); input()"
    )
    ready(new_keeper)
    forge(run, Status(state="starting", boot_id=ANOTHER_BOOT, keeper=process))
    assert run.state() == "starting"
    run.command("stop")
    new_keeper.communicate(b"\n")
    said, _ = stranger.communicate(b"\n", timeout=10)
    scorecard(row=3, tried=4, lost=said.count(b"hit"))
