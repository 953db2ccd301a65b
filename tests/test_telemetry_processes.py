"""Processes of this machine, looked at for real."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui import liveness
from genai_tui.telemetry import processes
from genai_tui.telemetry.processes import MOST, ProcessMeter
from genai_tui.telemetry.record import Process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def found(meter: ProcessMeter, pid: int) -> Process:
    return next(each for each in meter.sample() or [] if each.pid == pid)


def own_command() -> list[str]:
    """The words of our own command line."""
    return Path("/proc/self/cmdline").read_text().replace("\0", " ").split()


def test_we_find_ourselves() -> None:
    me = found(ProcessMeter(), os.getpid())
    assert me.own
    assert me.parent == os.getppid()
    assert me.started == liveness.identity(os.getpid()).started
    assert me.since is not None
    assert 0 <= time.time() - me.since < 86_400
    assert me.command.split() == own_command()
    assert me.cpu is None  # one look tells no load
    assert me.memory
    assert me.memory > 2**20


def test_the_load_is_that_since_the_look_before() -> None:
    clock = [0.0]
    meter = ProcessMeter(clock=lambda: clock[0])
    found(meter, os.getpid())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    clock[0] = 1.0
    load = found(meter, os.getpid()).cpu
    assert load is not None
    assert load >= 9


def test_a_program_that_calls_itself_what_it_likes(tmp_path: Path) -> None:
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to(sys.executable)
    code = "print('up', flush=True); input()"
    with subprocess.Popen(
        [odd, "-c", code, "\x1b[31m"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        seen = found(ProcessMeter(), child.pid)
        child.kill()
    assert seen.parent == os.getpid()
    assert seen.command == f"{odd} -c {code} \x1b[31m"


def test_the_dead_are_not_told_of() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert child.pid not in {each.pid for each in ProcessMeter().sample() or []}


def test_who_is_asked_for_comes_first_and_the_list_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "MOST", 1)
    told = ProcessMeter().sample(frozenset({1}))
    assert told
    assert [each.pid for each in told] == [1]
    assert MOST > 1


@given(st.binary(max_size=200))
def test_no_line_of_proc_raises_anything_unexpected(line: bytes) -> None:
    try:
        seen = processes._parse(line, 4096)
    except (ValueError, IndexError):
        return
    assert seen is None or seen.pid >= 0


def test_in_a_container_a_pid_of_the_driver_is_not_taken_for_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pids = frozenset({os.getpid()})
    monkeypatch.setattr(processes, "HOST_NAMESPACE", os.readlink("/proc/self/ns/pid"))
    assert processes.strangers(pids) == []
    monkeypatch.setattr(processes, "HOST_NAMESPACE", "pid:[1]")
    assert processes.strangers(pids) == [os.getpid()]


def test_a_system_without_proc_tells_of_its_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    me = found(ProcessMeter(), os.getpid())
    assert (me.own, me.started) == (True, 0)
    assert me.command.split() == own_command()
