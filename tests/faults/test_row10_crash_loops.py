"""Row 10: a worker that dies at import, and one that dies in the same step each time.

The keeper backs off, gives up after three restarts without a new checkpoint, and the run reads
failed, with the reason on the screen. While it waits it uses next to no processor.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from real_runs import create, in_state, keeper, told
from studio import screen_text
from studio import until as until_in_app
from waiting import until

from backends.records import Checkpoint
from faults.processes import cpu_seconds
from faults.scorecard import Entry
from faults.small import small
from genai_tui import launch
from genai_tui.app import StudioApp
from genai_tui.store import Run, Store

FAULTY = Path(__file__).parent / "faulty"
BACK_OFF_SECONDS = 0.25 + 1 + 4
IDLE_SHARE = 0.1
"""Of a processor, at most, while a keeper waits. It wakes up twenty times a second."""


async def test_a_worker_that_dies_at_import_is_given_up(
    store: Store, torch_is: Callable[[str], None], scorecard: Entry
) -> None:
    torch_is("import os; print('my last words', flush=True); os._exit(3)")
    run = create(store, small())
    with run.console.open("wb") as console:
        console.truncate(17 << 20)  # an old console makes room
    begin = time.monotonic()
    launch.start(run)
    lost = int(busy_share(run) > IDLE_SHARE)
    until(in_state(run, "failed"), 60)
    lost += time.monotonic() - begin < BACK_OFF_SECONDS
    status = run.status()
    lost += (status.attempt, status.restarts, status.exit_code) != (4, 3, 3)
    reason = "exit status 3, 4 times without a new checkpoint; last words: my last words"
    assert status.reason == reason
    until(lambda: not run.is_held())
    lost += not await is_on_screen(store, run, "my last words")
    assert (run.path / "console.1.log").stat().st_size == 17 << 20
    assert run.console.stat().st_size < 10_000
    scorecard(row=10, tried=1, lost=lost)


def busy_share(run: Run) -> float:
    """The share of a processor that a keeper uses while it backs off for the third time."""
    until(lambda: run.status().restarts == 3, 60)
    guard, begin = keeper(run), time.monotonic()
    before = cpu_seconds(guard.pid)
    until(lambda: run.status().attempt == 4, 60)
    return (cpu_seconds(guard.pid) - before) / (time.monotonic() - begin)


async def is_on_screen(store: Store, run: Run, words: str) -> bool:
    app = StudioApp(store, open_run=run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_in_app(pilot, lambda: "failed" in screen_text(app))
        return words in screen_text(app)


@pytest.mark.faults_long
@pytest.mark.parametrize(
    ("death", "words"),
    [
        ("exit", "exit status 3, 4 times without a new checkpoint; last words: the third step"),
        ("abort", "killed by SIGABRT, 4 times without a new checkpoint"),
        ("segfault", "killed by SIGSEGV, 4 times without a new checkpoint"),
    ],
)
async def test_a_worker_that_dies_in_the_same_step_each_time_is_given_up(
    death: str, words: str, store: Store, monkeypatch: pytest.MonkeyPatch, scorecard: Entry
) -> None:
    """That of step 0 may be whole before the third step, in one attempt; then there is no more."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTY), prepend=os.pathsep)
    monkeypatch.setenv("GENAI_TUI_TEST_DEATH", death)
    run = create(store, small("vae/mlp", 50, checkpoint_every=10), model="vae/faulty")
    launch.start(run)
    until(in_state(run, "failed"), 120)
    status = run.status()
    assert status.reason.startswith(words)
    lost = len([checkpoint for checkpoint in told(run, Checkpoint) if checkpoint.step])
    lost += status.attempt not in range(4, 9) or status.restarts != status.attempt - 1
    lost += not await is_on_screen(store, run, words.split(",")[0])
    scorecard(row=10, tried=1, lost=lost)
