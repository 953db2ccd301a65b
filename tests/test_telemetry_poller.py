"""The poller as a real process, and the watcher that reads it."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psutil
import pytest
from nvml import ROOT, Driver

from genai_tui.telemetry import journal
from genai_tui.telemetry.__main__ import Process, main, worker_of
from genai_tui.telemetry.patient import WAITING
from genai_tui.telemetry.record import Snapshot, Telemetry, decode_snapshot
from genai_tui.telemetry.ticks import ticks
from genai_tui.telemetry.watcher import Watcher

pytest_plugins = ["nvml"]

OPTIONS = ["--pid-from", "status.json", "--every", "0.05"]
COMMAND = [sys.executable, "-P", "-m", "genai_tui.telemetry"]
# Starts the poller as the keeper does, says its pid, and waits to be killed.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
time.sleep(600)
"""


def until(fact: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait for ``fact``, and fail if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "status.json").write_text(f'{{"worker":{{"pid":{os.getpid()},"started":0}}}}')
    return folder


@pytest.fixture
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def keeping(
    run_dir: Path, environment: dict[str, str]
) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    """A parent, and the pid of the poller that it has started."""
    command = [sys.executable, "-c", PARENT, *COMMAND, str(run_dir), *OPTIONS]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        yield parent, int(parent.stdout.readline())
        parent.kill()


def lines(folder: Path) -> list[Telemetry]:
    return journal.read(folder / journal.NAME).samples


def test_it_samples_and_ends_with_its_parent(run_dir: Path, environment: dict[str, str]) -> None:
    with keeping(run_dir, environment) as (parent, pid):
        until(lambda: len(lines(run_dir)) >= 3)
        sample = lines(run_dir)[-1]
        assert sample.worker
        assert sample.worker.pid == os.getpid()
        assert sample.host.memory_total
        assert sample.gpus or sample.gpu_problem
        parent.kill()
        until(lambda: ended(pid))


def test_it_ends_when_the_run_is_gone(run_dir: Path, environment: dict[str, str]) -> None:
    with subprocess.Popen([*COMMAND, str(run_dir), *OPTIONS], env=environment) as poller:
        until(lambda: lines(run_dir))
        shutil.move(run_dir, run_dir.with_name("deleted"))
        assert poller.wait(15) == 0


@pytest.mark.parametrize("parent_dies", [True, False])
def test_a_hung_driver_does_not_keep_it_from_ending(
    run_dir: Path, driver: Driver, parent_dies: bool
) -> None:
    driver.set({"hang:nvmlDeviceGetName": 600_000})
    with keeping(run_dir, driver.environment) as (parent, pid):
        until(lambda: "libnvidia-ml" in Path(f"/proc/{pid}/maps").read_text())
        until(lambda: lines(run_dir))  # the machine goes on being measured
        sample = lines(run_dir)[-1]
        assert (sample.gpus, sample.gpu_problem) == ([], WAITING)
        assert sample.host.memory_total
        os.kill(parent.pid if parent_dies else pid, signal.SIGTERM)
        until(lambda: ended(pid))


def test_it_samples_the_gpus(run_dir: Path, driver: Driver) -> None:
    environment = driver.environment | {"CUDA_VISIBLE_DEVICES": "1"}
    command = [*COMMAND, str(run_dir), *OPTIONS, "--visible-only"]
    with subprocess.Popen(command, env=environment) as poller:
        until(lambda: lines(run_dir))
        poller.terminate()
    assert [gpu.utilisation for gpu in lines(run_dir)[0].gpus] == [37.0]


def test_wrong_use_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path), "--every", "0"])
    assert caught.value.code == 2
    assert "positive" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "worker"),
    [
        (b'{"state":"running","worker":{"pid":7,"started":12}}', Process(7, 12)),
        (b'{"worker":{"pid":7}}', Process(7, 0)),
        (b'{"worker":null}', None),
        (b"{}", None),
        (b'{"worker":{"pid":-1}}', None),
        (b'{"worker":7}', None),
        (b'{"worker":{"pid":7', None),
        (b'{"\xff":1}', None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_the_worker_is_read_from_whatever_is_there(
    tmp_path: Path, content: bytes, worker: Process | None
) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert worker_of(tmp_path / "status.json") == worker
    assert worker_of(tmp_path / "absent") is None


def test_ticks_stay_on_the_grid_and_leave_out_what_was_missed() -> None:
    now = [10.0]
    strikes: list[float] = []

    def sleep(seconds: float) -> None:
        now[0] += seconds + 0.01  # a sleep is never exact

    for _ in islice(ticks(1.0, lambda: now[0], sleep), 6):
        strikes.append(round(now[0], 2))
        now[0] += 2.5 if len(strikes) == 3 else 0.2  # the work, once too long
    assert strikes == [10.0, 11.01, 12.01, 15.01, 16.01, 17.01]


def test_it_prints_for_a_viewer_and_ends_with_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    command = [*COMMAND, str(tmp_path), "--print", "--processes", "--every", "0.05"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as poller:
        assert poller.stdout
        first = decode_snapshot(poller.stdout.readline())
        second = decode_snapshot(poller.stdout.readline())
        assert first
        assert second
        assert second.cores is None or len(second.cores) == second.host.cores
        ours = {each.pid: each for each in first.processes or []}
        assert ours[poller.pid].parent == os.getpid()
        poller.stdout.close()
        assert poller.wait(15) == 0
    assert not list(tmp_path.iterdir())


def test_the_watcher_hands_on_samples_until_it_is_stopped(
    tmp_path: Path, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LD_LIBRARY_PATH", "FAKE_NVML", "PYTHONPATH"):
        monkeypatch.setenv(name, driver.environment[name])
    told: queue.Queue[Snapshot] = queue.Queue()
    thread = Watcher(told.put, tmp_path, every=0.05)
    assert thread.daemon
    thread.start()
    assert told.get(timeout=15).host.disk_total
    assert [gpu.utilisation for gpu in told.get(timeout=15).gpus] == [37.0, 37.0]
    thread.stop()
    until(lambda: not thread.is_alive())


def test_the_watcher_starts_another_poller_when_one_dies(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    told: queue.Queue[Snapshot] = queue.Queue()
    thread = Watcher(told.put, tmp_path, every=0.05, processes=True)
    thread.start()
    poller = next(
        each for each in told.get(timeout=15).processes or [] if str(tmp_path) in each.command
    )
    os.kill(poller.pid, signal.SIGKILL)
    until(lambda: ended(poller.pid))
    found = (each for _ in range(1000) for each in told.get(timeout=15).processes or [])
    assert any(str(tmp_path) in each.command and each.pid != poller.pid for each in found)
    thread.stop()
    until(lambda: not thread.is_alive())
