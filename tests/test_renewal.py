"""A run that is shut again: who had its growing files open reads no further."""

import errno
import os
import shutil

import pytest
from build_runs import build
from waiting import python, ready

from backends.records import Notice
from genai_tui import admission, liveness, sharing
from genai_tui.cli import main
from genai_tui.log import Log
from genai_tui.renewal import GROWING
from genai_tui.store import Run, RunError, Store
from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Telemetry


@pytest.fixture
def shared(store: Store) -> Run:
    """A run with all files that grow, which its owner's own group may read."""
    run = build(store, "mine", step=40, of=40, samples_every=20)
    for name in GROWING:
        with (run.path / name).open("ab") as file:
            file.write(b"so far\n")
    sharing.share(run)
    return run


def rest(fd: int) -> bytes:
    """What has come behind what was read."""
    return os.read(fd, 1 << 20)


def grow(run: Run) -> None:
    """Appends as the next attempt does."""
    for path in (run.records, run.scores):
        log = Log(path)
        log.append(Notice(step=40, t=0.0, text="later"))
        log.close()
    journal.append(run.path, Telemetry(t=1.0))
    with run.console.open("a") as console:
        console.write("later\n")


def test_who_had_a_file_open_reads_no_further(shared: Run) -> None:
    before = {name: (shared.path / name).read_bytes() for name in GROWING}
    followers = {name: os.open(shared.path / name, os.O_RDONLY) for name in GROWING}
    for name, fd in followers.items():
        assert rest(fd) == before[name]
    assert sharing.unshare(shared)
    grow(shared)
    for name, fd in followers.items():
        assert not rest(fd)
        os.close(fd)
        now = (shared.path / name).read_bytes()
        assert now.startswith(before[name])
        assert len(now) > len(before[name])


def test_the_copies_are_their_owners_alone_and_nothing_else_is_left(shared: Run) -> None:
    names = {path.name for path in shared.path.iterdir()} | {"keeper.lock", "scores.lock"}
    left = shared.path / ".records.jsonl.1"
    left.write_bytes(b"of a copier that was killed")
    sharing.unshare(shared)
    assert {path.name for path in shared.path.iterdir()} == names
    assert not [path for path in shared.path.rglob("*") if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("lock", ["keeper.lock", "scores.lock"])
def test_a_file_that_somebody_appends_to_stays(lock: str, shared: Run) -> None:
    fd = liveness.hold_keeper(shared.path / lock)
    follower = os.open(shared.records, os.O_RDONLY)
    rest(follower)
    assert not sharing.unshare(shared)
    grow(shared)
    assert b"later" in rest(follower)
    os.close(fd)
    assert sharing.unshare(shared)  # said once more when it rests
    grow(shared)
    assert not rest(follower)
    os.close(follower)


def test_a_worker_whose_keeper_died_keeps_its_files(shared: Run) -> None:
    lock = str(shared.path / "worker.lock")
    worker = python(
        "from pathlib import Path; from genai_tui import liveness;"
        f"liveness.hold_worker(Path({lock!r})); print('ready', flush=True); input()"
    )
    ready(worker)
    before = shared.records.stat().st_ino
    assert not sharing.unshare(shared)
    assert shared.records.stat().st_ino == before
    worker.communicate(b"\n")
    assert sharing.unshare(shared)


def test_a_full_disk_costs_no_record(shared: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in shared.path.iterdir() if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(
        RunError, match="yours alone, but who has its log open can read on in it: No space"
    ):
        sharing.unshare(shared)
    for path, content in before.items():
        assert path.read_bytes() == content
    assert not list(shared.path.glob(".records*"))
    assert not sharing.shared_with(shared)  # the door is shut all the same


def test_the_owner_hears_of_those_who_read_on(
    shared: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--runs", str(shared.path.parent), "share", shared.id, "--undo"]
    fd = liveness.hold_keeper(shared.path / "keeper.lock")
    assert main(words) == 0
    assert "can read on in it" in capsys.readouterr().out
    os.close(fd)
    assert main(words) == 0
    assert "can read on" not in capsys.readouterr().out


def test_what_is_made_while_a_run_is_shut_is_shut(
    shared: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes a file has seen that the folder is shared, and is slow from there on."""
    grant = admission.grant

    def grant_late(fd: int, group: int) -> bool:
        sharing.unshare(shared)
        return grant(fd, group)

    monkeypatch.setattr(admission, "grant", grant_late)
    shared.annotate(note="made meanwhile")
    assert not (shared.path / "annotation.json").stat().st_mode & 0o077
