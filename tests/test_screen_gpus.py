"""The page of GPUs, host and processes, as keystrokes and as pictures."""

import math
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import build_runs
import msgspec
import pytest
from build_runs import NOW
from hypothesis import given
from hypothesis import strategies as st
from studio import StillFeed, screen_text, studio, until
from textual import events
from textual.pilot import Pilot
from waiting import python, ready

from backends import records
from genai_tui import control, liveness, past
from genai_tui.app import StudioApp
from genai_tui.screens.gpus import GpusScreen
from genai_tui.screens.run import RunScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.screens.signal_dialog import SignalDialog
from genai_tui.store import Run, Store, write_atomic
from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Gpu, GpuProcess, Host, Process, Snapshot
from genai_tui.widgets import process_table
from genai_tui.widgets.device_table import DeviceTable
from genai_tui.widgets.heights import (
    BORDERS,
    HOST,
    KEYS,
    LEAST_GRAPHS,
    LEAST_PROCESSES,
    TITLE,
    divided,
)
from genai_tui.widgets.process_table import ProcessFilter, ProcessTable
from genai_tui.widgets.trace_grid import TraceGrid

SIZES = [(80, 24), (120, 40), (200, 60)]
GIB = 2**30
WORKER, KEEPER, CHILD = 4242, 4240, 4250


def card(index: int, t: float = 0.0) -> Gpu:
    """A card that works, one in four that idles."""
    wave, busy = math.sin(t / 40 + index), index % 4 != 3
    pid = {0: WORKER, 1: WORKER, 2: 777}.get(index, 5000 + index)
    return Gpu(
        uuid=f"GPU-{index}",
        index=index,
        name="NVIDIA H100 80GB HBM3",
        utilisation=round(85 + 12 * wave) if busy else 0,
        memory_used=int((40 + 5 * index * busy + 2 * wave) * GIB) if busy else GIB // 2,
        memory_total=80 * GIB,
        power=520 + 120 * wave if busy else 71,
        power_limit=700,
        temperature=61 + 8 * wave + 20 * (index == 2) if busy else 33,
        processes=[GpuProcess(pid, 40 * GIB)] if busy else [],
        memory_busy=40 + 20 * wave if busy else 0,
        clock=1980 if busy else 345,
        memory_clock=2619,
        pcie_in=1.2e9 + 4e8 * wave,
        pcie_out=3e8,
        throttling=[[], ["power cap"], ["too hot", "power cap"], []][index % 4],
    )


def host(t: float = 0.0) -> Host:
    return Host(
        cpu=round(55 + 20 * math.sin(t / 60)),
        cores=16,
        load=3.1,
        memory_used=12 * GIB,
        memory_total=64 * GIB,
        disk_free=int(120e9 - 2e6 * t),
        disk_total=500 * 10**9,
        swap_used=0,
        swap_total=8 * GIB,
        disk_read=1.2e6,
        disk_write=30e6 + 5e6 * math.sin(t / 30),
        net_in=400e3,
        net_out=80e3,
    )


def process(pid: int, parent: int, command: str, **facts: Any) -> Process:
    usual = {"started": 7, "since": NOW - 4000, "user": "ada", "own": True, "cpu": 1.0}
    return Process(pid, parent, command=command, memory=GIB, **{**usual, **facts})


PROCESSES = [
    process(1, 0, "/sbin/init", user="root", own=False, since=NOW - 9e6, cpu=0.0),
    process(KEEPER, 1, "python -P -m genai_tui.keeper runs/clothes"),
    process(WORKER, KEEPER, "python -P -m genai_tui.worker train runs/clothes", cpu=180.0),
    process(CHILD, WORKER, "python -P -m genai_tui.worker train runs/clothes"),
    process(777, 1, "python train.py --lr \x1b[31m1e-4", user="bob", own=False, cpu=99.0),
    process(5004, 1, "python serve.py", user="bob", own=False),
]


@dataclass
class Machine:
    """What the tests tell the page."""

    cards: list[Gpu] = field(default_factory=lambda: [card(index) for index in range(8)])
    problem: str = ""
    processes: list[Process] | None = field(default_factory=lambda: list(PROCESSES))

    def at(self, t: float = 0.0) -> Snapshot:
        cores = [100.0 * (index % 5) / 4 for index in range(16)]
        return Snapshot(
            NOW + t, self.cards, self.problem, host(t), cores=cores, processes=self.processes
        )


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clothes(store: Store) -> Run:
    """A run that trains on this machine: its worker is on GPUs 0 and 1."""
    run = build_runs.build(store, "clothes", step=1400, state="running", telemetry=0)
    status = records.Status(
        state="running",
        step=1400,
        of=2000,
        boot_id=liveness.boot_id(),
        keeper=records.Process(pid=KEEPER, started=7),
        worker=records.Process(pid=WORKER, started=7),
    )
    write_atomic(run.path / "status.json", records.encode(status))
    liveness.hold_keeper(run.path / "keeper.lock")
    return run


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        monotonic = staticmethod(monotonic)

        @staticmethod
        def time() -> float:
            return NOW

    monkeypatch.setattr(process_table, "time", Clock)
    monkeypatch.setattr(past, "time", Clock)


async def opened(pilot: Pilot[None], feed: StillFeed, *told: Snapshot) -> GpusScreen:
    await pilot.press("3")
    await until(pilot, lambda: isinstance(feed.watcher, GpusScreen))
    screen = pilot.app.screen
    assert isinstance(screen, GpusScreen)
    await until(pilot, lambda: screen._early is None)  # the past has been read
    feed.tell_runs()
    for snapshot in told:
        feed.tell_machine(snapshot)
    await until(pilot, lambda: screen.query_one(ProcessTable).rows)
    await pilot.pause()
    return screen


def commands(screen: GpusScreen) -> list[int]:
    return [row.pid for row in screen.query_one(ProcessTable).rows]


def notices(app: StudioApp) -> str:
    return "\n".join(notice.message for notice in app._notifications)


# ---------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture(
    store: Store, clothes: Run, size: tuple[int, int], theme: str, snap_compare: Any
) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        app.theme = theme
        cards = {t: [card(index, t) for index in range(8)] for t in range(-600, 1, 5)}
        await opened(pilot, feed, *(Machine(each).at(t) for t, each in cards.items()))

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES[:2], ids="{0[0]}x{0[1]}".format)
def test_the_picture_without_a_gpu(
    store: Store, clothes: Run, size: tuple[int, int], snap_compare: Any
) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        problem = "the NVIDIA driver is not loaded: sudo modprobe nvidia"
        await opened(pilot, feed, *(Machine([], problem).at(t) for t in range(-600, 1, 5)))
        await pilot.press("t")

    assert snap_compare(app, terminal_size=size, run_before=before)


def test_the_picture_of_graphs_alone_and_of_mig(store: Store, snap_compare: Any) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        for t in range(-600, 1, 5):
            one = card(1, t)
            part = Gpu("MIG-1", 1, "NVIDIA H100 MIG 1g.10gb", parent="GPU-1", problem="x")
            feed_cards = [card(0, t), one, part]
            told.append(Machine(feed_cards).at(t))
        await opened(pilot, feed, *told)
        await pilot.press("right", "f")

    told: list[Snapshot] = []
    assert snap_compare(app, terminal_size=(120, 40), run_before=before)


def test_the_picture_of_the_question_for_a_signal(
    store: Store, clothes: Run, machine: Machine, snap_compare: Any
) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, feed, machine.at())
        await asked(pilot)

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


# ---------------------------------------------------------------------------- what it shows


async def test_every_gpu_is_a_line_of_numbers_and_courses(store: Store, machine: Machine) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(200, 60)) as pilot:
        await opened(pilot, feed, machine.at(-5), machine.at())
        lines = screen_text(app).splitlines()
        assert "8 GPUs" in lines[0]
        first = next(line for line in lines if " H100 80GB HBM3 " in line)
        for word in ("━─", "85 %", "40/80", "520/700", " 61 ", "1980", "2619", "1.2G/300MB"):
            assert word in first
        assert "too hot, power cap" in next(line for line in lines if "  2 H100" in line)
        assert sum("H100" in line for line in lines) == 9  # eight lines, one title of graphs


async def test_what_a_gpu_does_not_tell_reads_as_a_dash(store: Store, machine: Machine) -> None:
    machine.cards = [Gpu("GPU-0", 0, "Stub", problem="memory: no permission")]
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed, machine.at())
        line = next(line for line in screen_text(app).splitlines() if "Stub" in line)
        assert line.count("–") >= 5
        assert "0 %" not in line
        assert "memory: no permission" in line


async def test_a_box_without_a_gpu_says_why_and_shows_the_rest(
    store: Store, clothes: Run, machine: Machine
) -> None:
    machine.cards, machine.problem = [], "the driver has not answered for 12 s"
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        text = screen_text(app)
        assert "no GPU: the driver has not answered for 12 s" in text
        assert "55 % of 16 cores" in text
        assert "12/64 GiB" in text
        assert "120 GB free" in text
        assert not screen.query_one(DeviceTable).display
        assert commands(screen)[:3] == [WORKER, KEEPER, CHILD]  # ours first, what trains before all
        assert "GPU mem" not in text


@given(height=st.integers(12, 200), devices=st.integers(0, 40), rows=st.integers(1, 16))
def test_whatever_the_height_processes_keep_their_part(
    height: int, devices: int, rows: int
) -> None:
    found = divided(height, devices, rows)
    left = height - (found.devices or TITLE) - found.graphs - HOST - KEYS
    assert left >= min(LEAST_PROCESSES, height - height // 3 - TITLE - BORDERS - HOST - KEYS)
    assert found.graphs == 0 or found.graphs >= LEAST_GRAPHS


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_every_core_has_a_bar_or_shares_one(
    store: Store, machine: Machine, size: tuple[int, int]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, feed, machine.at())
        line = next(line for line in screen_text(app).splitlines() if "of 16 cores" in line)
        bars = sum(letter in "▁▂▃▄▅▆▇█" for letter in line)
        assert bars == (8 if size[0] == 80 else 16)


async def test_a_disk_that_fills_says_when_it_is_full(store: Store, machine: Machine) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed, *(machine.at(t) for t in range(0, 61, 5)))
        assert "full in 16 h 39 min" in screen_text(app)


async def test_the_past_ten_minutes_come_from_the_runs(
    store: Store, clothes: Run, machine: Machine
) -> None:
    for t in range(-900, 0, 5):
        journal.append(clothes.path, Machine([card(0, t)]).at(t))
    later = build_runs.build(
        store, "later", state="running", id="20261123-b", created=NOW - 300, telemetry=0
    )
    liveness.hold_keeper(later.path / "keeper.lock")
    for t in range(-400, 0, 5):  # it has seen the same, and another figure
        idle = msgspec.structs.replace(card(0, t), utilisation=1000.0)
        journal.append(later.path, Machine([idle]).at(t))
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        course = screen._traces.course("GPU-0", "utilisation")
        assert max(course) < 1000
        assert len(course) == 120
        assert not any(map(math.isnan, course))
        assert math.isnan(screen._traces.course("GPU-1", "utilisation")[0])


async def test_a_page_that_hears_nothing_says_so(store: Store, machine: Machine) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        screen._heard -= 12
        screen._listen()
        await pilot.pause()
        assert re.search(r"no reading for 1\d s: what stands below is old", screen_text(app))
        feed.tell_machine(machine.at(13))
        await pilot.pause()
        screen._listen()
        await pilot.pause()
        assert "no reading" not in screen_text(app)


async def test_processes_name_their_run_and_no_control_character(
    store: Store, clothes: Run, machine: Machine
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed, machine.at())
        lines = screen_text(app).splitlines()
        worker = next(line for line in lines if f" {WORKER} " in line)
        for word in ("0-1", "ada", "86 GB", "180", "1h", "clothes", "worker: python"):
            assert word in worker
        assert "·[31m1e-4" in next(line for line in lines if " 777 " in line)


# ---------------------------------------------------------------------------- what keys do


async def test_sorting_reversing_the_tree_and_only_gpus(
    store: Store, clothes: Run, machine: Machine
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        await pilot.press("o")
        assert commands(screen)[:2] == [WORKER, 777]
        assert "CPU %▼" in screen_text(app)
        await pilot.press("O")
        assert commands(screen)[-2:] == [777, WORKER] or commands(screen)[0] == 5000
        await pilot.press("O", "o", "o", "o", "o", "o")
        assert screen.query_one(ProcessTable).view.order == "user"
        await pilot.press("o", "o", "t")
        assert "└ worker: python" in screen_text(app)
        assert " └ worker's child: python" in screen_text(app)
        await pilot.press("t", "a")
        assert 1 not in commands(screen)
        assert {WORKER, KEEPER, 777} <= set(commands(screen))


async def test_the_filter_and_its_end(store: Store, clothes: Run, machine: Machine) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        everything = commands(screen)
        await pilot.press("slash", *"bob serve", "enter")
        assert commands(screen) == [5004]
        assert "1 of 8 process" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: commands(screen) == everything)
        await pilot.press("slash", "x", "y", "z")
        assert commands(screen) == []
        await pilot.press("escape")
        await until(pilot, lambda: commands(screen) == everything)
        assert isinstance(app.screen, GpusScreen)


async def test_what_is_typed_in_one_burst_with_the_filters_key_is_in_the_filter(
    store: Store, machine: Machine
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        await pilot.pause()
        for key in ("slash", "b", "o", "b"):  # as a terminal hands them over, in one read
            app.post_message(events.Key(key, "/" if key == "slash" else key))
        await until(pilot, lambda: screen.query_one(ProcessFilter).value == "bob")


async def test_the_cursor_stays_on_its_process(store: Store, machine: Machine) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        table = screen.query_one(ProcessTable)
        await pilot.press("end", "up")
        chosen = table.chosen
        assert chosen
        machine.processes = list(reversed(PROCESSES[1:]))
        feed.tell_machine(machine.at(3))
        await pilot.pause()
        assert table.chosen
        assert table.chosen.key == chosen.key


async def test_a_click_chooses_a_process(store: Store, machine: Machine) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        table = screen.query_one(ProcessTable)
        await pilot.click(ProcessTable, offset=(20, 4))  # border, titles, and two lines before
        await until(pilot, lambda: table.cursor == 2)
        await pilot.press("pageup")
        assert table.cursor == 0
        await pilot.press("pagedown", "end")
        assert table.cursor == len(table.rows) - 1


async def test_the_next_gpu_has_its_graphs_shown(store: Store, machine: Machine) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        graphs = screen.query_one(TraceGrid)
        assert str(graphs.border_title).startswith("GPU 0")
        await pilot.press("right", "right")
        await pilot.pause()
        assert str(graphs.border_title).startswith("GPU 2")
        await pilot.press("left", "shift+tab", "down", "down", "enter")
        await until(pilot, lambda: screen.maximized is graphs)
        assert str(graphs.border_title).startswith("GPU 3")
        await pilot.press("escape")
        assert screen.maximized is None


async def test_enter_opens_the_run_of_a_process(
    store: Store, clothes: Run, machine: Machine
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed, machine.at())
        await pilot.press("end", "enter")
        await until(pilot, lambda: "belongs to no run" in notices(app))
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        opened_run = app.screen
        assert isinstance(opened_run, RunScreen)
        assert opened_run.run.id == clothes.id
        await until(pilot, lambda: feed.watcher is None)  # nobody looks at the machine
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(feed.watcher, GpusScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


# ---------------------------------------------------------------------------- signals


async def asked(pilot: Pilot[None]) -> str:
    await pilot.press("K")
    await until(pilot, lambda: isinstance(pilot.app.screen, SignalDialog))
    await pilot.pause()
    assert isinstance(pilot.app, StudioApp)
    return screen_text(pilot.app)


async def test_a_worker_is_rather_stopped_with_a_checkpoint(
    store: Store, clothes: Run, machine: Machine
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, feed, machine.at())
        text = await asked(pilot)
        assert "It is the worker of the run clothes" in text
        assert "recommended" in text
        assert "the newest checkpoint is resumed" in text
        assert feed.watcher  # the page goes on behind the question
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, GpusScreen))
        (command,) = control.take(clothes.control)
        assert isinstance(command, records.Command)
        assert command.verb == "stop"


async def test_x_and_space_command_the_run_under_the_cursor(
    store: Store, clothes: Run, machine: Machine
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed, machine.at())
        await pilot.press("space")
        (command,) = control.take(clothes.control)
        assert isinstance(command, records.Command)
        assert command.verb == "pause"
        assert "pause" in screen_text(app).splitlines()[-1]
        await pilot.press("end")
        await until(pilot, lambda: "pause" not in screen_text(app).splitlines()[-1])


async def test_another_users_process_is_refused_in_a_sentence(
    store: Store, machine: Machine
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed, machine.at())
        await pilot.press("slash", *"train.py", "enter", "K")
        await until(pilot, lambda: "belongs to bob: only its owner" in notices(app))
        assert app.screen is screen


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with python("print('ready', flush=True); input()") as child:
        ready(child)
        yield child
        child.kill()


async def test_a_signal_is_sent_after_asking(
    store: Store, machine: Machine, child: subprocess.Popen[bytes]
) -> None:
    started = liveness.identity(child.pid).started
    mine = process(child.pid, 1, "python my.py", started=started, cpu=500.0)
    machine.processes = [mine, *PROCESSES]
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, feed, machine.at())
        await pilot.press("o", "home")
        for leaving in ("escape", "enter", "n"):  # to leave it is what enter does at first
            assert "python my.py" in await asked(pilot)
            await pilot.press(leaving)
            await until(pilot, lambda: isinstance(app.screen, GpusScreen))
        assert child.poll() is None
        text = await asked(pilot)
        assert "checkpoint" not in text
        await pilot.press("s")  # there is no run to stop
        assert isinstance(app.screen, SignalDialog)
        await pilot.press("t")
        await until(pilot, lambda: child.poll() is not None)
        assert child.returncode == -signal.SIGTERM
        await until(pilot, lambda: f"TERM was sent to process {child.pid}" in notices(app))
        await asked(pilot)
        await pilot.press("K")  # once too often
        assert isinstance(app.screen, SignalDialog)
        await pilot.press("k")
        await until(pilot, lambda: f"Process {child.pid} has ended" in notices(app))
