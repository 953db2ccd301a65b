"""Locks die with their holder, and a signal never hits a stranger: shown on real processes."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import python, ready, until

from genai_tui import liveness
from genai_tui.liveness import Identity, LockHeldError

Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a Python that has printed "ready"; all are killed afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(code: str) -> subprocess.Popen[bytes]:
        process = python(code)
        started.append(process)
        ready(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


WAIT = "print('ready', flush=True); input()"


def holder(kind: str, path: Path, then: str = WAIT) -> str:
    """Code that holds a lock."""
    return (
        "from pathlib import Path; from genai_tui import liveness;"
        f"liveness.hold_{kind}(Path({str(path)!r})); {then}"
    )


def test_a_living_process_is_alive_and_is_itself(start: Start) -> None:
    process = start(WAIT)
    found = liveness.identity(process.pid)
    assert found.started > 0
    assert liveness.is_alive(found)
    assert found == liveness.identity(process.pid)


def test_a_zombie_is_not_alive(start: Start) -> None:
    process = start(WAIT)
    found = liveness.identity(process.pid)
    os.kill(process.pid, signal.SIGKILL)  # and nobody waits for it
    until(lambda: liveness.identity(process.pid).started == 0)
    os.kill(process.pid, 0)  # the pid is still taken
    assert not liveness.is_alive(found)
    assert not liveness.send(found, signal.SIGTERM)


def test_a_process_that_is_gone_is_not_alive(start: Start) -> None:
    process = start(WAIT)
    found = liveness.identity(process.pid)
    process.kill()
    process.wait()
    assert not liveness.is_alive(found)
    assert not liveness.send(found, signal.SIGTERM)


def test_a_name_with_parentheses_and_spaces_does_not_confuse(start: Start) -> None:
    rename = "__import__('ctypes').CDLL(None).prctl(15, b') Z 1 (x', 0, 0, 0);"
    process = start(rename + WAIT)
    assert Path(f"/proc/{process.pid}/comm").read_text() == ") Z 1 (x\n"
    assert liveness.identity(process.pid).started > 0


def test_a_stranger_with_a_reused_pid_is_left_in_peace(start: Start) -> None:
    stranger = start(
        "import signal; signal.signal(15, lambda *_: print('hit', flush=True));" + WAIT
    )
    gone = Identity(stranger.pid, liveness.identity(stranger.pid).started - 1)
    assert not liveness.is_alive(gone)
    assert not liveness.send(gone, signal.SIGTERM)
    out, _ = stranger.communicate(b"go on\n", timeout=10)
    assert out == b""
    assert stranger.returncode == 0


def test_an_identity_without_a_start_time_is_nobody(start: Start) -> None:
    process = start(WAIT)
    assert not liveness.is_alive(Identity(process.pid))
    assert not liveness.send(Identity(process.pid), signal.SIGKILL)


def test_a_signal_reaches_the_one_it_is_for(start: Start) -> None:
    process = start(WAIT)
    assert liveness.send(liveness.identity(process.pid), signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM


HELD = {"keeper": liveness.keeper_held, "worker": liveness.worker_held}
HOLD = {"keeper": liveness.hold_keeper, "worker": liveness.hold_worker}


@pytest.mark.parametrize("kind", ["keeper", "worker"])
def test_a_lock_is_held_for_life_and_no_longer(kind: str, start: Start, tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.lock"
    assert not HELD[kind](path)
    process = start(holder(kind, path))
    assert HELD[kind](path)
    with pytest.raises(LockHeldError):
        HOLD[kind](path)
    assert HELD[kind](path)  # neither the look nor the attempt has let it go
    process.kill()
    process.wait()
    assert not HELD[kind](path)
    os.close(HOLD[kind](path))


def test_a_child_that_a_worker_left_behind_does_not_hold_its_lock(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "worker.lock"
    fork = "import os, signal; pid = os.fork(); signal.pause() if not pid else None;"
    process = start(
        holder("worker", path, fork + "print('ready', flush=True); print(pid, flush=True); input()")
    )
    assert process.stdout is not None
    child = liveness.identity(int(process.stdout.readline()))
    try:
        process.kill()
        process.wait()
        assert liveness.is_alive(child)
        assert not liveness.worker_held(path)
    finally:
        liveness.send(child, signal.SIGKILL)


def test_what_a_keeper_starts_does_not_hold_its_lock(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "keeper.lock"
    spawn = "import subprocess as s; p = s.Popen(['sleep', '600'], stdout=s.DEVNULL);"
    process = start(
        holder(
            "keeper", path, spawn + "print('ready', flush=True); print(p.pid, flush=True); input()"
        )
    )
    assert process.stdout is not None
    child = liveness.identity(int(process.stdout.readline()))
    try:
        process.kill()
        process.wait()
        assert liveness.is_alive(child)
        assert not liveness.keeper_held(path)
    finally:
        liveness.send(child, signal.SIGKILL)


def test_a_viewer_that_looks_does_not_keep_a_keeper_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keeper.lock"
    look = os.open(path, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(look, fcntl.LOCK_SH)
    looks = iter([lambda: None, lambda: os.close(look)])
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", lambda _: next(looks)())
        lock = liveness.hold_keeper(path)
    os.close(lock)
    assert list(looks) == []


@pytest.mark.parametrize("kind", ["keeper", "worker"])
def test_a_lock_that_does_not_exist_is_not_held_and_not_made(kind: str, tmp_path: Path) -> None:
    assert not HELD[kind](tmp_path / "none" / "lock")
    assert not HELD[kind](tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []


def test_this_boot_has_a_name() -> None:
    assert liveness.boot_id() == liveness.boot_id() != ""
