"""Row 20: a run that trains is shared, and shut again, under the eyes of another user.

Whoever is in the group sees what the training makes as it goes on, also after a kill -9 and a
resume; commands and locks stay shut; and what is made after the run was shut is its owner's alone.
"""

import grp
import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest
from real_runs import gone, keeper, reached, told, worker
from waiting import until

from backends.records import Start, Step
from faults.scorecard import Entry
from faults.strangers import GROUP, IN_IT, as_stranger, home, needs_root, passable, shell, stranger
from genai_tui import admission, launch, liveness, sharing
from genai_tui.cli import main
from genai_tui.regular import opened
from genai_tui.store import Run, Store

__all__ = ["home"]
pytestmark = needs_root

EVERY = 25
"""Steps between two samples, and between two checkpoints."""
LOCKS = ("keeper.lock", "worker.lock")


@pytest.fixture(scope="module")
def live() -> Iterator[Run]:
    """A run that was shared when it was asked for, and trains as long as the tests take."""
    knobs = [f"sample_every={EVERY}", f"checkpoint_every={EVERY}", "batch_size=4", "width=8"]
    knobs += ["threads=1", "precision=float32", "validate_every=0", "sample_count=4"]
    words = ["train", "vae/mlp", "--steps", "1000000", "--share", str(GROUP), "--detach", "--json"]
    with passable() as home:
        root = home / "runs"
        assert main(["--runs", str(root), *words, *(f"--set={knob}" for knob in knobs)]) == 0
        run = Store(root).runs()[0]
        until(reached(run, 1), 60)
        yield run
        kill(run)


def test_a_run_is_shared_from_its_start(live: Run, scorecard: Entry) -> None:
    goes_on(live)
    assert live.path.stat().st_gid == GROUP
    lost = not sees(live, 0)
    assert not lost
    scorecard(row=20, tried=1, lost=int(lost))


def kill(run: Run) -> None:
    both = (keeper(run), worker(run))
    for process in both:
        liveness.send(process, signal.SIGKILL)
    until(gone(*both))


def goes_on(run: Run) -> None:
    """Returns when samples, checkpoints and records are there that are all new."""
    now = run.status().step
    until(reached(run, now + 3 * EVERY), 60)
    until(lambda: run.checkpoint_steps()[-1] > now + EVERY, 60)


def watched(run: Run, after: int) -> Callable[[], bool]:
    """All that a watcher wants of a run, beyond a step; what is pruned meanwhile is tried again."""

    def fact() -> bool:
        try:
            seen = Run(run.path)
            newest = [
                seen.samples()[-1][1] / "grid.png",
                seen.samples()[-1][1] / "request.json",
                seen.path / f"checkpoints/step-{seen.checkpoint_steps()[-1]:06d}/manifest.json",
                seen.path / f"checkpoints/step-{seen.checkpoint_steps()[-1]:06d}/state.json",
                *(seen.console, seen.telemetry),
            ]
            for path in newest:
                opened(path).close()
            steps = [seen.status().step, told(seen, Step)[-1].step, seen.samples()[-1][0]]
            return min(steps) > after and seen.state() == "running"
        except (OSError, IndexError):
            return False

    return fact


def sees(run: Run, after: int) -> bool:
    """Whether one of the group sees how the run goes on."""
    return as_stranger(lambda: bool(until(watched(run, after), 30)), IN_IT)


def reads(run: Run) -> bool:
    """Whether one of the group can read anything of it."""
    words = [str(run.path), *(str(path) for path in there(run))]
    return any(shell("cat" if Path(w).is_file() else "ls", w, groups=IN_IT) == 0 for w in words)


def there(run: Run) -> list[Path]:
    return [path for path in run.path.rglob("*") if path.suffix in (".json", ".jsonl", ".log")]


def open_to_others(run: Run) -> list[str]:
    """What is not its owner's alone; what is removed meanwhile is not."""
    found: list[str] = []
    for folder, _, names in os.walk(run.path):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            try:
                shut = not path.lstat().st_mode & (admission.OTHERS)
            except FileNotFoundError:
                continue
            found += [] if shut else [str(path)]
    return found


def test_a_live_run_is_watched_and_shut_again(live: Run, scorecard: Entry) -> None:
    sharing.unshare(live)
    assert not reads(live)
    sharing.share(live, GROUP)
    now = live.status().step
    goes_on(live)
    assert sees(live, now)
    assert shell("cat", str(live.records)) != 0  # whoever is not in the group
    sharing.unshare(live)
    goes_on(live)
    lost = len(open_to_others(live)) + reads(live)
    assert not lost
    sharing.share(live, GROUP)
    assert sees(live, live.status().step)
    scorecard(row=20, tried=5, lost=lost)


def test_whoever_watches_can_do_no_more(live: Run, scorecard: Entry) -> None:
    sharing.share(live, GROUP)
    goes_on(live)
    live.command("checkpoint")  # control/ is in use, too
    tries = [
        ("ls", str(live.control)),
        ("touch", str(live.control / "x.json")),
        ("touch", str(live.path / "x")),
        ("touch", str(live.path / "samples/x")),
        ("touch", str(live.path / "checkpoints/step-999999")),
        ("tee", "-a", str(live.records)),
        ("tee", str(live.path / "status.json")),
        ("mv", str(live.path / "status.json"), str(live.path / "other.json")),
        ("mv", str(live.path), str(live.path.with_name("other"))),
        ("ls", str(live.path.parent)),
        *(("flock", "--shared", "--nonblock", str(live.path / lock), "true") for lock in LOCKS),
    ]
    lost = sum(shell(*words, groups=IN_IT) == 0 for words in tries)
    assert not lost
    path, root = str(live.path), live.path.parent
    looks = stranger(root, ["show", path], ["logs", path], groups=IN_IT, id=live.id)
    assert [look["status"] for look in looks] == [0, 0]
    assert "running" in looks[0]["said"]
    orders = [["stop", path], ["pause", path], ["checkpoint", path], ["set", path, "lr=1e-3"]]
    changes = [["resume", path], ["delete", path, "--yes"], ["tag", path, "+x"], ["share", path]]
    for answer in stranger(root, *orders, groups=IN_IT, id=live.id):
        lost += answer["status"] == 0
        assert "belongs to another user, who lets you watch it" in answer["said"]
    answers = stranger(root, *changes, groups=IN_IT, id=live.id)
    lost += sum(answer["status"] == 0 for answer in answers)
    assert not lost
    goes_on(live)
    scorecard(row=20, tried=len(tries) + len(orders) + len(changes), lost=lost)


def test_what_is_shared_stays_so_after_a_kill_and_a_resume(live: Run, scorecard: Entry) -> None:
    sharing.share(live, GROUP)
    kill(live)
    assert as_stranger(lambda: live.state() == "interrupted" or _is_fresh(live), IN_IT)
    launch.resume(live)
    until(lambda: len(told(live, Start)) == 2, 60)
    goes_on(live)
    lost = not sees(live, 0)
    assert not lost
    assert not live.control.stat().st_mode & 0o077
    scorecard(row=20, tried=1, lost=int(lost))


def _is_fresh(run: Run) -> bool:
    """Its heartbeat is all that another user sees of a keeper that was just killed."""
    return run.liveness().heartbeat_age < 15


def test_a_group_that_one_is_not_in_is_refused(home: Path, scorecard: Entry) -> None:
    """Before anything is on disk, in a store that everybody may write in."""
    root = home / "runs"
    root.mkdir()
    root.chmod(0o777)
    name = grp.getgrgid(GROUP).gr_name
    not_in, none = f"you are not in the group '{name}'", "there is no group"
    wishes = [(name, not_in), (str(GROUP), not_in), ("no-such", none), ("4000000000", none)]
    assert refused(root, "no-such", none)
    lost = sum(not as_stranger(partial(refused, root, *wish)) for wish in wishes)
    assert not lost
    assert list(root.iterdir()) == []
    scorecard(row=20, tried=len(wishes), lost=lost)


def refused(root: Path, group: str, sentence: str) -> bool:
    """Whether that is all that a training for the group is answered."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main(["--runs", str(root), "train", "vae/mlp", "--share", group])
    return status == 2 and sentence in said.getvalue() and said.getvalue().count("\n") == 1
