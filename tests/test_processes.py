"""The list of processes as a value: whose they are, in which order, as a tree."""

import os
import signal
import subprocess
from collections.abc import Iterator

import build_runs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import python, ready, until

from backends.records import Process as Named
from backends.records import Status
from genai_tui import liveness, processes, signalling
from genai_tui.processes import Owners, Row, View, looked_at, owners_of, rows
from genai_tui.store import Summary
from genai_tui.telemetry.record import Gpu, GpuProcess, Process
from genai_tui.widgets.process_table import ranges

GIB, BOOT = 2**30, liveness.boot_id()


def process(pid: int, parent: int = 1, started: int = 7, **facts: object) -> Process:
    return Process(pid, parent, started, **facts)  # pyright: ignore[reportArgumentType]


def run(name: str, boot: str = BOOT, **facts: object) -> Summary:
    status = Status(state="running", boot_id=boot, **facts)  # pyright: ignore[reportArgumentType]
    return Summary(f"id-{name}", name, "vae/mlp", "digits", build_runs.NOW, "running", status)


def pids(found: list[Row]) -> list[int]:
    return [row.pid for row in found]


@pytest.fixture
def owners() -> Owners:
    worker, keeper = Named(pid=20, started=7), Named(pid=10, started=7)
    return owners_of([run("clothes", worker=worker, keeper=keeper)])


FAMILY = [
    process(10, command="python -P -m genai_tui.keeper"),
    process(20, 10, command="python -P -m genai_tui.worker", cpu=99.0, memory=5),
    process(30, 20, command="python -P -m genai_tui.worker"),
    process(40, 10, command="python -P -m genai_tui.telemetry"),
    process(50, command="vim", user="ada", memory=9),
]


def test_ours_are_known_by_pid_and_start_and_so_are_their_children(owners: Owners) -> None:
    found = {row.pid: row for row in rows(FAMILY, [], [], owners)}
    roles = {pid: row.owner.role for pid, row in found.items() if row.owner}
    assert roles == {10: "keeper", 20: "worker", 30: "worker's child", 40: "poller"}
    assert {row.ours for row in found.values()} == {"clothes", ""}


def test_a_stranger_with_the_pid_of_a_worker_is_not_ours(owners: Owners) -> None:
    (row,) = rows([process(20, started=8)], [], [], owners)
    assert row.owner is None


def test_runs_of_another_boot_own_nothing_here() -> None:
    assert owners_of([run("clothes", "another", worker=Named(pid=20, started=7))]) == {}


def test_parents_in_a_circle_end_somewhere() -> None:
    found = rows([process(2, 3), process(3, 2)], [], [], {})
    assert sorted(pids(looked_at(found, View(tree=True)))) == [2, 3]


def test_this_studio_is_known(owners: Owners) -> None:
    me, child = process(os.getpid()), process(99, os.getpid())
    assert [row.studio for row in rows([me, child], [], [], owners)] == [True, True]


def test_gpus_and_memory_of_a_process_on_several_cards() -> None:
    gpus = [
        Gpu("a", 0, processes=[GpuProcess(20, 2 * GIB)]),
        Gpu("b", 1, processes=[GpuProcess(20, 3 * GIB), GpuProcess(50, None)]),
        Gpu("c", 1, parent="b", processes=[GpuProcess(20, 3 * GIB)]),  # its instance says it again
    ]
    found = {row.pid: row for row in rows(FAMILY, gpus, [], {})}
    assert (found[20].gpus, found[20].gpu_memory) == ((0, 1), 5 * GIB)
    assert (found[50].gpus, found[50].gpu_memory) == ((1,), None)


def test_a_number_on_the_gpu_that_means_nothing_here_is_a_row_without_a_process() -> None:
    gpus = [Gpu("a", 0, processes=[GpuProcess(20, GIB), GpuProcess(77, GIB)])]
    found = rows(FAMILY, gpus, [20], {})
    hidden = [row for row in found if row.process is None]
    assert pids(hidden) == [20, 77]  # one is not the process of that number, one is not here
    assert {row.gpus for row in found if row.process} == {()}


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(), [20, 10, 30, 40, 50]),  # ours first
        (View("pid"), [10, 20, 30, 40, 50]),
        (View("pid", backwards=True), [50, 40, 30, 20, 10]),
        (View("memory"), [50, 20, 10, 30, 40]),
        (View("pid", words="WORKER python"), [20, 30]),
        (View("pid", words="clothes"), [10, 20, 30, 40]),
        (View("pid", words="ada"), [50]),
        (View("pid", words="4"), [40]),
        (View("pid", everything=False), [10, 20, 30, 40]),
    ],
)
def test_the_list_as_it_is_looked_at(owners: Owners, view: View, expected: list[int]) -> None:
    assert pids(looked_at(rows(FAMILY, [], [], owners), view)) == expected


def test_a_tree_puts_children_below_their_parents(owners: Owners) -> None:
    shown = looked_at(rows(FAMILY, [], [], owners), View("pid", tree=True))
    assert [(row.pid, row.depth) for row in shown] == [(10, 0), (20, 1), (30, 2), (40, 1), (50, 0)]


forests = st.dictionaries(st.integers(1, 30), st.integers(0, 30), max_size=30)


@given(forests, st.sampled_from(processes.ORDERS), st.booleans())
def test_every_process_of_whatever_forest_is_shown_once(
    parents: dict[int, int], order: processes.Order, backwards: bool
) -> None:
    found = rows([process(pid, parent) for pid, parent in parents.items()], [], [], {})
    for tree in (False, True):
        shown = looked_at(found, View(order, backwards, tree=tree))
        assert sorted(pids(shown)) == sorted(parents)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((), ""), ((3,), "3"), ((0, 1), "0-1"), ((7, 0, 1, 2, 5), "0-2,5,7"), ((10, 2), "2,10")],
)
def test_numbers_of_gpus_are_told_in_ranges(numbers: tuple[int, ...], text: str) -> None:
    assert ranges(numbers) == text


# ---------------------------------------------------------------------------- signals


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with python("print('ready', flush=True); input()") as child:
        ready(child)
        yield child
        child.kill()


def own(pid: int, started: int) -> Row:
    return Row(pid, process(pid, started=started, own=True))


def test_a_signal_reaches_the_process(child: subprocess.Popen[bytes]) -> None:
    row = own(child.pid, liveness.identity(child.pid).started)
    assert signalling.send(row, "TERM") == f"TERM was sent to process {child.pid}."
    until(lambda: child.poll() is not None)
    assert child.returncode == -signal.SIGTERM
    assert signalling.send(row, "KILL") == f"Process {child.pid} has ended."


def test_a_later_process_with_the_same_number_is_never_hit(child: subprocess.Popen[bytes]) -> None:
    row = own(child.pid, liveness.identity(child.pid).started - 1)
    assert signalling.send(row, "KILL") == f"Process {child.pid} has ended."
    assert child.poll() is None


def test_the_system_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(liveness, "send", refuse)
    assert "other rights" in signalling.send(own(5, 7), "INT")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (Row(5), "outside this container"),
        (Row(5, process(5, user="ada")), "belongs to ada: only its owner"),
        (Row(5, process(5, user="\x1b[31m")), "belongs to ·[31m"),
        (Row(5, process(5)), "belongs to another user"),
        (Row(5, process(5, own=True), studio=True), "ctrl+q leaves it"),
    ],
)
def test_what_is_refused_is_not_sent(monkeypatch: pytest.MonkeyPatch, row: Row, why: str) -> None:
    monkeypatch.setattr(liveness, "send", lambda *_: pytest.fail("was sent"))
    assert why in signalling.refusal(row)
    assert signalling.send(row, "TERM") == signalling.refusal(row)
