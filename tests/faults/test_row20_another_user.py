"""Row 20: another user of the machine, a real one.

Cannot list, read, command, change or resume a run, whatever umask its owner has; may read one that
its owner shares, and do no more with it. A run that is somebody else's, or that somebody else could
have written, is not resumed.
"""

import os
from pathlib import Path

import pytest
from build_runs import build
from waiting import until

from faults.scorecard import Entry
from faults.small import small
from faults.strangers import MINE, STRANGER, as_stranger, home, needs_root, shell, stranger
from genai_tui import launch, sharing
from genai_tui.launch import LaunchError
from genai_tui.store import Run, Store

__all__ = ["home"]


@pytest.fixture
def run(home: Path) -> Run:
    return build(Store(home / "runs"), "mine", id=MINE, step=40, of=40, samples_every=20)


def reads(run: Run) -> bool:
    return run.summary().state == "finished" and bool(run.read().records)


def resumes(run: Run) -> bool:
    try:
        launch.resume(run, 80)
    except LaunchError as error:
        return "belongs to another user" not in str(error)
    return True


@needs_root
def test_a_stranger_sees_nothing(run: Run, scorecard: Entry) -> None:
    store = run.path.parent
    assert shell("ls", str(store.parent)) == 0  # the control: up to here anybody comes
    tries = [
        ("ls", str(store)),
        ("ls", str(run.path)),
        ("cat", str(run.path / "run.json")),
        ("cat", str(run.path / "records.jsonl")),
        ("cat", str(run.path / "samples/step-000040/grid.png")),
        ("touch", str(run.path / "control/x.json")),
        ("touch", str(store / "x")),
        ("ln", "-s", "/etc", str(run.path / "samples/step-000041")),
        ("mv", str(run.path), str(store / "other")),
        ("rm", "-rf", str(run.path / "records.jsonl")),
    ]
    lost = sum(shell(*words) == 0 for words in tries if words[0] != "rm")
    shell(*tries[-1])
    assert run.records.exists()
    verbs = [["runs"], ["show", run.id], ["logs", run.id], ["stop", run.id], ["resume", run.id]]
    for told in stranger(store, *verbs, ["delete", run.id, "--yes"], ["tag", run.id, "+x"]):
        lost += told["status"] == 0
        assert "cannot be read: Permission denied" in told["said"]
    assert not lost
    scorecard(row=20, tried=len(tries) + 7, lost=lost)


@needs_root
def test_a_shared_run_can_be_read_and_no_more(run: Run, home: Path, scorecard: Entry) -> None:
    other = build(Store(run.path.parent), "secret", id="20261122-101531-secret", step=40, of=40)
    (run.path / "samples/step-000050").symlink_to(other.path)
    sharing.share(run, STRANGER)
    assert shell("cat", str(run.path / "records.jsonl")) == 0
    assert shell("cat", str(run.path / "samples/step-000040/grid.png")) == 0
    tries = [
        ("ls", str(run.path.parent)),
        ("cat", str(other.path / "run.json")),
        ("touch", str(run.path / "x")),
        ("touch", str(run.path / "control/x.json")),
        ("ls", str(run.path / "control")),
        ("tee", str(run.path / "annotation.json")),
        ("rm", str(run.path / "run.json")),
    ]
    lost = sum(shell(*words) == 0 for words in tries)
    assert not lost
    assert as_stranger(lambda: reads(Run(run.path)))
    assert as_stranger(lambda: not resumes(Run(run.path)))
    sharing.unshare(run)
    assert shell("cat", str(run.path / "records.jsonl")) != 0
    scorecard(row=20, tried=len(tries) + 4, lost=lost)


@needs_root
def test_a_run_of_somebody_else_is_not_resumed(run: Run, scorecard: Entry) -> None:
    for path in (run.path, *run.path.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    with pytest.raises(LaunchError, match="belongs to another user"):
        launch.resume(run, 80)
    with pytest.raises(LaunchError, match="belongs to another user"):
        launch.start(run, 80)
    scorecard(row=20, tried=2, lost=0)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702])
def test_a_run_that_others_could_have_written_is_not_resumed(
    mode: int, run: Run, scorecard: Entry
) -> None:
    run.path.chmod(mode)
    with pytest.raises(LaunchError, match="others can write into the folder"):
        launch.resume(run, 80)
    scorecard(row=20, tried=1, lost=0)


def test_whatever_the_umask_all_is_the_owners_alone(store: Store, scorecard: Entry) -> None:
    """A whole training with the most careless umask that there is."""
    before = os.umask(0)
    try:
        spec = small("vae/mlp", 20)
        run = store.create(spec)
        launch.start(run)
        until(lambda: run.state() == "finished", 60)
        until(lambda: not run.is_held())
        run.annotate(tags=["x"])
    finally:
        os.umask(before)
    found = [store.root, *store.root.rglob("*")]
    open_to_others = [str(path) for path in found if path.lstat().st_mode & 0o077]
    assert not open_to_others
    assert len(found) > 15
    scorecard(row=20, tried=len(found), lost=len(open_to_others))
