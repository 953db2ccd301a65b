"""The machine and the worker, sampled for real."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import psutil
import pytest

from genai_tui.telemetry.host import HostMeter
from genai_tui.telemetry.process import CHILDREN_S, WorkerMeter
from genai_tui.telemetry.record import Host

SPIN = "while True: pass"
# A parent that says when it has a child, which holds 64 MiB.
FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c",
    "held = b'x' * 2**26; print('ready', flush=True); input()"], stdin=subprocess.PIPE)
child.wait()
"""


@contextmanager
def python(code: str) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                for each in psutil.Process(process.pid).children(recursive=True):
                    each.kill()
            process.kill()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def meter(clock: list[float]) -> WorkerMeter:
    return WorkerMeter(clock=lambda: clock[0])


def test_the_machine(tmp_path: Path) -> None:
    host = HostMeter().sample(tmp_path)
    assert host.cores == os.cpu_count()
    assert host.memory_used
    assert host.memory_total
    assert 0 < host.memory_used < host.memory_total
    assert host.disk_free is not None
    assert host.disk_total
    assert host.disk_free <= host.disk_total
    assert host.load is not None


class Times(NamedTuple):
    """Seconds of a machine, as psutil counts them on Linux: guests are within user."""

    user: float
    system: float
    idle: float
    iowait: float
    guest: float


def test_load_is_the_busy_share_since_the_sample_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    meter = HostMeter()
    counted = [
        Times(50, 10, 100, 10, 20),
        Times(52, 11, 107, 12, 21),  # 12 s more, 3 of them busy
        Times(52, 11, 107, 12, 21),  # no time has passed
        Times(0, 0, 0, 0, 0),  # counters that went back
    ]
    for times, cpu in zip(counted, (None, 25.0, None, None), strict=True):
        monkeypatch.setattr(psutil, "cpu_times", lambda times=times: times)
        assert meter.sample(tmp_path).cpu == cpu


def test_a_folder_that_is_gone_hides_only_the_disk(tmp_path: Path) -> None:
    host = HostMeter().sample(tmp_path / "gone")
    assert (host.disk_free, host.disk_total) == (None, None)
    assert host.memory_total


def test_a_machine_that_tells_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    silent = ["virtual_memory", "swap_memory", "cpu_times", "cpu_count"]
    for name in (*silent, "disk_io_counters", "net_io_counters"):
        monkeypatch.setattr(psutil, name, refuse)
    for name in ("statvfs", "getloadavg"):
        monkeypatch.setattr(os, name, refuse)
    meter = HostMeter()
    assert meter.sample(tmp_path) == Host()
    assert meter.cores() is None


class Disks(NamedTuple):
    read_bytes: int
    write_bytes: int


class Net(NamedTuple):
    bytes_recv: int
    bytes_sent: int


def test_rates_are_bytes_a_second_of_the_hardware(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: list[float]
) -> None:
    (tmp_path / "eth0" / "device").mkdir(parents=True)
    monkeypatch.setattr("genai_tui.telemetry.host.INTERFACES", tmp_path)
    meter = HostMeter(clock=lambda: clock[0])
    looks = [
        (0.0, Disks(1000, 500), Net(10, 20), (None, None, None, None)),
        (2.0, Disks(3000, 500), Net(30, 120), (1000, 0, 10, 50)),
        (3.0, Disks(10, 900), Net(30, 0), (None, 400, 0, None)),  # counters that were set back
    ]
    for now, disks, net, expected in looks:
        clock[0] = now
        interfaces = {"lo": Net(9**9 * int(now), 7), "eth0": net, "docker0": net}
        monkeypatch.setattr(psutil, "disk_io_counters", lambda disks=disks: disks)
        monkeypatch.setattr(psutil, "net_io_counters", lambda pernic, told=interfaces: told)
        host = meter.sample(tmp_path)
        assert (host.disk_read, host.disk_write, host.net_in, host.net_out) == expected


def test_a_container_counts_the_interfaces_that_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: list[float]
) -> None:
    monkeypatch.setattr("genai_tui.telemetry.host.INTERFACES", tmp_path)
    meter = HostMeter(clock=lambda: clock[0])
    for now, received, expected in ((0.0, 5, None), (1.0, 9, 4)):
        clock[0] = now
        told = {"lo": Net(0, 0), "veth1": Net(received, 0)}
        monkeypatch.setattr(psutil, "net_io_counters", lambda pernic, told=told: told)
        assert meter.sample(tmp_path).net_in == expected


def test_each_core_has_its_own_load(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = HostMeter()
    looks = [
        [Times(0, 0, 0, 0, 0), Times(0, 0, 0, 0, 0)],
        [Times(1, 1, 2, 0, 0), Times(0, 0, 4, 0, 0)],
        [Times(9, 9, 9, 9, 9)],  # a core was taken offline
    ]
    for times, loads in zip(looks, (None, [50.0, 0.0], None), strict=True):
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu=False, times=times: times)
        assert meter.cores() == loads


def test_a_busy_worker_takes_a_core(meter: WorkerMeter, clock: list[float]) -> None:
    with python(SPIN) as process:
        first = meter.sample(process.pid)
        assert first
        assert first.cpu is None
        assert first.memory
        seen = psutil.Process(process.pid)
        enough, deadline = sum(seen.cpu_times()) + 0.2, monotonic() + 15
        while sum(seen.cpu_times()) < enough:
            assert monotonic() < deadline
        clock[0] = 1.0  # a second, of which it had a fifth or more
        second = meter.sample(process.pid)
    assert second
    assert second.cpu
    assert second.cpu >= 19


def test_children_count_for_the_worker(meter: WorkerMeter, clock: list[float]) -> None:
    with python(FAMILY) as process:
        before = meter.sample(process.pid)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        clock[0] = CHILDREN_S
        after = meter.sample(process.pid)
    assert before
    assert after
    assert before.memory
    assert after.memory
    assert after.memory >= before.memory + 2**26


def test_a_dead_worker_is_unknown_even_before_its_parent_has_noticed(meter: WorkerMeter) -> None:
    with python("input()") as process:
        assert meter.sample(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert meter.sample(process.pid) is None  # a zombie
        process.wait()
        assert meter.sample(process.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="start ticks are in Linux's /proc")
def test_a_stranger_with_the_pid_of_the_worker_is_not_the_worker(meter: WorkerMeter) -> None:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    assert meter.sample(os.getpid(), ticks - 1) is None
    assert meter.sample(os.getpid(), ticks)


@pytest.mark.parametrize("pid", [None, 0, -1, 2**22 + 1, 2**31 - 1, 2**70])
def test_pids_of_nobody(meter: WorkerMeter, pid: int | None) -> None:
    assert meter.sample(pid) is None
