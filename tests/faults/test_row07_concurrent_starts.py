"""Row 7: many starts and resumes of one run at once.

Exactly one of them starts it, every other one says in one sentence why not, and one worker trains.
"""

import os
import subprocess
import sys
from collections.abc import Callable

from real_runs import create, told
from waiting import until

from backends.records import Phase
from faults.processes import naming
from faults.scorecard import Entry, counts
from faults.small import small
from genai_tui.store import Run, Store

ASLEEP = "import time; time.sleep(600)"
STARTER = """
import sys
from pathlib import Path
from genai_tui import launch
from genai_tui.errors import UserError
from genai_tui.store import Run
run, verb = Run(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
try:
    launch.start(run) if verb == "start" else launch.resume(run)
except UserError as error:
    print(error)
"""


@counts("rounds", quick=1, full=10)
def test_of_many_starts_and_resumes_exactly_one_wins(
    rounds: int, store: Store, torch_is: Callable[[str], None], scorecard: Entry
) -> None:
    torch_is(ASLEEP)
    starters = 6 if rounds == 1 else 20
    lost = 0
    for _ in range(rounds):
        run = create(store, small())
        said = all_at_once(run, starters)
        lost += not is_one(run, said)
        until(lambda run=run: told(run, Phase))  # the one that won is at work
        lost += [len(naming(run.path, module)) for module in ("keeper", "worker")] != [1, 1]
    scorecard(row=7, tried=rounds * starters, lost=lost)


def all_at_once(run: Run, count: int) -> list[str]:
    """What so many processes say that are let go together; half of them start, half resume."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, str(run.path), ("start", "resume")[index % 2]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for index in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        os.write(process.stdin.fileno(), b"\n")
    said = [process.communicate(timeout=60)[0].decode().strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return said


def is_one(run: Run, said: list[str]) -> bool:
    """Whether one has nothing to complain of, and each other one has one sentence."""
    sentences = {
        f"run {run.label} cannot be started: the run is being trained already",
        *(f"run {run.label} is {state} already" for state in ("starting", "running")),
    }
    return said.count("") == 1 and set(said) - {""} <= sentences
