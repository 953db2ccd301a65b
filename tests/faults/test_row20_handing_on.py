"""Row 20: what is made in a run's folder is handed on to those it is shared with, and to no others.

Whoever shares or shuts a run meets its training at any moment of a file's making.
"""

import fcntl
import os
from pathlib import Path

import pytest
import torch
from real_runs import create

from backends import checkpoints, samples
from backends.model import Samples
from backends.records import SampleRequest
from faults.scorecard import Entry
from faults.small import small
from faults.strangers import GROUP, IN_IT, as_stranger, home, needs_root, shell
from genai_tui import admission, sharing
from genai_tui.log import Log
from genai_tui.store import Run, Store

__all__ = ["home"]
pytestmark = needs_root


@pytest.fixture
def shared(home: Path) -> Run:
    run = create(Store(home / "runs"), small("vae/mlp", 100))
    sharing.share(run, GROUP)
    return run


def test_what_gets_its_name_while_it_is_looked_for_is_found(
    home: Path, monkeypatch: pytest.MonkeyPatch, scorecard: Entry
) -> None:
    """A folder of samples that was begun before its run was shared, and finished meanwhile."""
    run = create(Store(home / "runs"), small("vae/mlp", 100))
    hidden, target = run.path / "samples/.tmp-step-000025-1", run.path / "samples/step-000025"
    hidden.mkdir(mode=0o700)
    (hidden / "grid.png").touch(mode=0o600)
    real = os.open

    def slow(name: str, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if name == hidden.name and hidden.exists():
            hidden.rename(target)
        return real(name, flags, *rest, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", slow)
    sharing.share(run, GROUP)
    monkeypatch.undo()
    lost = shell("cat", str(target / "grid.png"), groups=IN_IT) != 0
    assert not lost
    scorecard(row=20, tried=1, lost=int(lost))


def test_no_other_group_is_let_in(shared: Run, scorecard: Entry) -> None:
    """A folder that was begun before the sharing has its owner's group, and is handed over."""
    folder = shared.path / "samples/.tmp-step-000025-1"
    folder.mkdir()
    (folder / "grid.png").touch(mode=0o600)
    os.chown(folder / "grid.png", -1, 0)
    admission.admit(folder)
    told_of = (folder / "grid.png").stat()
    assert (told_of.st_gid, told_of.st_mode & 0o077) == (GROUP, 0o040)
    scorecard(row=20, tried=1, lost=0)


def test_a_file_whose_maker_was_killed_at_once_is_shared_by_the_next(
    shared: Run, scorecard: Entry
) -> None:
    shared.records.touch(mode=0o600)
    assert shell("cat", str(shared.records), groups=IN_IT) != 0
    Log(shared.records).close()
    assert shell("cat", str(shared.records), groups=IN_IT) == 0
    scorecard(row=20, tried=1, lost=0)


def test_what_was_hidden_by_hand_stays_so(shared: Run, scorecard: Entry) -> None:
    shared.records.write_text("{}\n")
    shared.records.chmod(0o600)
    Log(shared.records).close()
    assert shell("cat", str(shared.records), groups=IN_IT) != 0
    scorecard(row=20, tried=1, lost=0)


def test_a_lock_that_others_could_hold_is_shut(shared: Run, scorecard: Entry) -> None:
    """Sharing shuts those that an earlier version has shared."""
    lock = shared.path / "keeper.lock"
    lock.touch()
    lock.chmod(0o640)
    os.chown(lock, -1, GROUP)

    def holds() -> bool:
        try:
            fcntl.flock(os.open(lock, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    assert as_stranger(holds, IN_IT)
    sharing.share(shared, GROUP)
    assert not as_stranger(holds, IN_IT)
    scorecard(row=20, tried=1, lost=0)


def test_what_is_made_again_is_shared_again(shared: Run, scorecard: Entry) -> None:
    """After going back to a checkpoint, the same steps are drawn and saved once more."""
    drawn, request = Samples(images=torch.zeros(2, 1, 8, 8)), SampleRequest(count=2)
    state = {"model": {"w": torch.zeros(3)}, "loop": {"step": 25}}
    for _ in range(2):
        samples.write(shared.path / "samples/step-000025", drawn, request, finish=admission.admit)
        checkpoints.save(shared.path / "checkpoints", 25, state, finish=admission.admit)
    made = ["samples/step-000025/grid.png", "samples/step-000025/request.json"]
    made += [f"checkpoints/step-000025/{name}" for name in ("model.safetensors", "manifest.json")]
    lost = sum(shell("cat", str(shared.path / name), groups=IN_IT) != 0 for name in made)
    assert not lost
    scorecard(row=20, tried=len(made), lost=lost)


def test_a_playground_that_is_opened_in_a_shared_run_is_shared(
    shared: Run, scorecard: Entry
) -> None:
    folder = shared.path / "playground"
    for _ in range(2):  # made, and there already
        admission.create_folder(folder)
        assert shell("ls", str(folder), groups=IN_IT) == 0
        assert shell("touch", str(folder / "x"), groups=IN_IT) != 0
    scorecard(row=20, tried=4, lost=0)
