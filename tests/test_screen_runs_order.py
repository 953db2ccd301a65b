"""Finding, ordering and writing on runs in the Runs screen, as keystrokes."""

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import build_runs
import pytest
from build_runs import NOW
from studio import StillFeed, screen_text, studio, until
from textual.pilot import Pilot
from textual.widgets import Input

from backends import records
from backends.records import RunSpec, Status
from genai_tui import liveness
from genai_tui.app import StudioApp
from genai_tui.run_knobs import Knobs
from genai_tui.screens.columns import ColumnsDialog
from genai_tui.screens.dialogs import AskText, Confirm
from genai_tui.screens.runs import RunsScreen
from genai_tui.screens.sort import letters
from genai_tui.store import Run, Store, write_atomic
from genai_tui.widgets import run_look, run_table
from genai_tui.widgets.run_order import SORTS
from genai_tui.widgets.run_table import RunTable


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the screen remembers, it remembers for this test."""
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path / "state"))


@pytest.fixture
def runs(store: Store) -> dict[str, Run]:
    """Four runs: two VAEs, one of them a fork of the other, and two GANs of a sweep."""
    build = build_runs.build
    found = {
        "old": build(store, "old", id="1", step=2000, created=NOW - 9e5, telemetry=0, seed=1),
        "gan-a": build(store, "gan-a", id="2", model="gan/dcgan", step=900, telemetry=0, seed=2),
        "gan-b": build(store, "gan-b", id="3", model="gan/dcgan", step=500, telemetry=0, seed=3),
    }
    spec = RunSpec(id="4", name="fork", model="vae/conv", dataset="mnist", created=NOW, parent="1")
    found["fork"] = store.create(spec)
    build_runs.write_status(found["fork"], "finished", 100, 2000)
    for name in ("gan-a", "gan-b"):
        found[name].annotate(tags=["sweep-k3f9"])
    return found


async def opened(pilot: Pilot[None], feed: StillFeed) -> RunTable:
    await until(pilot, lambda: feed.listener)
    feed.tell_runs()
    table = pilot.app.screen.query_one(RunTable)
    await until(pilot, lambda: table.runs)
    return table


def names(table: RunTable) -> list[str]:
    return [run.name for run in table.runs]


def listed(app: StudioApp) -> list[str]:
    """What stands in the lines of the table, without the frame."""
    lines = re.findall(r"│(.*?)│", screen_text(app))
    return [line.strip() for line in lines if line.strip()]


async def answer(pilot: Pilot[None], text: str) -> None:
    """Types over what a dialog proposes."""
    await until(pilot, lambda: isinstance(pilot.app.screen, AskText))
    pilot.app.screen.query_one(Input).value = ""
    await pilot.press(*text, "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


# --------------------------------------------------------------------------- pictures


@pytest.fixture
def queue(runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The runs of the sweep stand in the queue."""

    class Clock:
        time = staticmethod(lambda: NOW)

    monkeypatch.setattr(run_table, "time", Clock)
    held: list[int] = []
    for place, name in (("1st", "gan-a"), ("2nd", "gan-b")):
        status = Status(state="starting", of=2000, phase="queued", waits=f"{place} of 2 for cuda:0")
        write_atomic(runs[name].path / "status.json", records.encode(status))
        held.append(liveness.hold_keeper(runs[name].path / "keeper.lock"))
    yield
    for fd in held:
        os.close(fd)


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    ("size", "theme"),
    [((80, 24), "textual-dark"), ((120, 40), "textual-light"), ((200, 60), "textual-dark")],
    ids=["80x24", "120x40-light", "200x60"],
)
def test_the_picture_of_a_tree_and_a_filter(
    store: Store, size: tuple[int, int], theme: str, snap_compare: Any
) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        app.theme = theme
        await opened(pilot, feed)
        await pilot.press("z", "z", "z", "m", "slash", *"gan or loss<1 step>")
        await until(pilot, lambda: "step> needs a number" in screen_text(app))
        await until(pilot, lambda: app.screen.query("#samples") and "▁" in screen_text(app))

    assert snap_compare(app, terminal_size=size, run_before=before)


# --------------------------------------------------------------------------- the filter


@pytest.mark.usefixtures("runs")
async def test_terms_find_runs_as_they_are_typed(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("slash", *"model:gan step<600")
        await until(pilot, lambda: names(table) == ["gan-b"])
        assert "1 of 4" in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(table.runs) == 4)
        await pilot.press("slash", *"-tag:sweep or gan-a", "enter")
        await until(pilot, lambda: names(table) == ["fork", "gan-a", "old"])
        assert table.has_focus
        await pilot.press("slash", "backspace", "down")
        assert table.has_focus


@pytest.mark.usefixtures("runs")
async def test_what_means_nothing_is_said_beside_the_filter(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("slash", *"gan loss<")
        await until(pilot, lambda: "loss< needs a number, as in loss<0.3" in screen_text(app))
        assert names(table) == ["gan-b", "gan-a"]
        await pilot.press("9")
        await until(pilot, lambda: "needs a number" not in screen_text(app))


@pytest.mark.usefixtures("runs")
async def test_knobs_are_read_when_they_are_asked_for(store: Store) -> None:
    spec = RunSpec(id="5", name="wide", model="vae/conv", dataset="x", model_config={"width": 64})
    store.create(spec)
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("slash", *"width>32")
        await until(pilot, lambda: names(table) == ["wide"])
        await pilot.press("escape", "slash", *"wings:2")
        await until(pilot, lambda: "no run has a knob wings" in screen_text(app))
        assert "No run is meant by that." in screen_text(app)


@pytest.mark.usefixtures("runs")
async def test_what_is_shown_stays_while_knobs_are_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, gate = list[frozenset[str]](), threading.Event()
    read = Knobs.read

    def slowly(knobs: Knobs, names: frozenset[str], ids: list[str]) -> None:
        asked.append(names)
        gate.wait(20)
        read(knobs, names, ids)

    monkeypatch.setattr(Knobs, "read", slowly)
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("slash", *"seed>123")
        await until(pilot, lambda: "reading the knobs of 4 runs" in screen_text(app))
        assert len(table.runs) == 4
        gate.set()
        await until(pilot, lambda: "No run is meant by that." in screen_text(app))
        assert asked == [frozenset({"seed"})]


# --------------------------------------------------------------------------- order and columns


@pytest.mark.usefixtures("runs")
async def test_o_and_a_letter_sort_by_a_column_and_the_same_again_turns_it(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("o")
        await until(pilot, lambda: "a to z" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "a to z" not in screen_text(app))
        assert names(table) == ["fork", "gan-b", "gan-a", "old"]
        await pilot.press("o", "n")
        await until(pilot, lambda: names(table) == ["fork", "gan-a", "gan-b", "old"])
        await pilot.press("o", "n")
        await until(pilot, lambda: names(table) == ["old", "gan-b", "gan-a", "fork"])
        await pilot.press("o", "O")
        await until(pilot, lambda: names(table) == ["fork", "gan-a", "gan-b", "old"])
        await pilot.press("o", "home", "enter")
        await until(pilot, lambda: names(table) == ["fork", "gan-b", "gan-a", "old"])


def test_every_column_has_a_letter_of_its_own() -> None:
    found = letters(list(SORTS))
    assert set(found.values()) == set(SORTS)
    assert not {"o", "q"} & set(found)


@pytest.mark.usefixtures("runs")
async def test_oo_sorts_by_the_next_column_and_capital_o_turns_it_around(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        table = await opened(pilot, feed)
        assert names(table) == ["fork", "gan-b", "gan-a", "old"]
        await pilot.press("o", "o", "o", "o")
        await until(pilot, lambda: names(table) == ["fork", "gan-a", "gan-b", "old"])
        assert "name▾" in screen_text(app)
        assert "sorted by name" in screen_text(app)
        await pilot.press("O")
        await until(pilot, lambda: names(table) == ["old", "gan-b", "gan-a", "fork"])
        assert "name▴" in screen_text(app)
        assert table.chosen is not None
        assert table.chosen.name == "fork"  # the cursor stayed on its run
    again, feed = studio(store)
    async with again.run_test() as pilot:
        table = await opened(pilot, feed)
        assert names(table) == ["old", "gan-b", "gan-a", "fork"]


@pytest.mark.usefixtures("runs")
async def test_z_groups_and_the_cursor_passes_over_headings(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("z")
        await until(pilot, lambda: "vae/conv · 2 runs" in screen_text(app))
        assert names(table) == ["fork", "old", "gan-b", "gan-a"]
        visited = []
        for key in ("home", "down", "down", "down", "down", "up"):
            await pilot.press(key)
            assert table.chosen is not None
            visited.append(table.chosen.name)
        assert visited == ["fork", "old", "gan-b", "gan-a", "gan-a", "gan-b"]
        await pilot.press("z")
        await until(pilot, lambda: "mnist · 1 run" in screen_text(app))
        await pilot.press("z")
        await until(pilot, lambda: "sweep-k3f9 · 2 runs" in screen_text(app))
        assert names(table) == ["gan-b", "gan-a", "old", "fork"]
        assert "└ fork" in screen_text(app)
        await pilot.press("z")
        await until(pilot, lambda: "sweep-k3f9 · 2 runs" not in screen_text(app))


@pytest.mark.usefixtures("runs")
async def test_w_chooses_the_columns_which_are_remembered(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed)
        await until(pilot, lambda: "step/of" in screen_text(app))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await pilot.press("down", "down", "space", "enter")
        await until(pilot, lambda: "model" not in listed(app)[0])
        await until(pilot, lambda: run_look.load().columns)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await pilot.press("u")
        await until(pilot, lambda: "model" in listed(app)[0])
        await until(pilot, lambda: run_look.load().columns is None)


def test_a_look_that_cannot_be_read_is_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    for content in (b"", b"{", b'{"grouping":"planets"}', b'{"columns":3}', b"\xff"):
        (tmp_path / "state" / "runs.json").write_bytes(content)
        assert run_look.load() == run_look.Look()


# --------------------------------------------------------------------------- what is written on


async def test_t_e_and_capital_r_write_on_the_run(store: Store, runs: dict[str, Run]) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("t")
        await answer(pilot, "night best")
        await until(pilot, lambda: runs["fork"].annotation().tags == ("night", "best"))
        await pilot.press("e")
        await answer(pilot, "wider than before")
        await until(pilot, lambda: runs["fork"].annotation().note == "wider than before")
        feed.tell_runs()
        await until(pilot, lambda: "fork ✎" in screen_text(app))
        await pilot.press("R")
        await answer(pilot, "boots")
        await until(pilot, lambda: runs["fork"].annotation().name == "boots")
        feed.tell_runs()
        await until(pilot, lambda: names(table)[0] == "boots")
        await until(pilot, lambda: "night" in screen_text(app))
        assert store.run("boots").id == "4"


@pytest.mark.usefixtures("runs")
async def test_what_cannot_be_a_name_is_said_while_it_is_typed(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        await opened(pilot, feed)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, AskText))
        await pilot.press(*["backspace"] * 4, *"latest", "enter")
        await until(pilot, lambda: "latest always means the newest run" in screen_text(app))
        assert isinstance(app.screen, AskText)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_tags_of_marked_runs_are_those_they_share(store: Store, runs: dict[str, Run]) -> None:
    runs["gan-a"].annotate(tags=["sweep-k3f9", "mine"])
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        await opened(pilot, feed)
        await pilot.press("j", "m", "m", "t")
        await until(pilot, lambda: "Tags of 2 runs" in screen_text(app))
        assert app.screen.query_one(Input).value == "sweep-k3f9"
        await answer(pilot, "best")
        await until(pilot, lambda: runs["gan-a"].annotation().tags == ("mine", "best"))
        await until(pilot, lambda: runs["gan-b"].annotation().tags == ("best",))


async def test_a_puts_runs_away_and_capital_h_shows_them(
    store: Store, runs: dict[str, Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("a")
        await until(pilot, lambda: runs["fork"].annotation().archived)
        feed.tell_runs()
        await until(pilot, lambda: names(table) == ["gan-b", "gan-a", "old"])
        await until(pilot, lambda: "1 archived" in screen_text(app))
        await pilot.press("H")
        await until(pilot, lambda: len(table.runs) == 4)
        await pilot.press("home", "a")
        await until(pilot, lambda: not runs["fork"].annotation().archived)


async def test_d_deletes_all_marked_runs_after_saying_how_many_they_are(
    store: Store, runs: dict[str, Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 30)) as pilot:
        await opened(pilot, feed)
        await pilot.press("j", "m", "m", "d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Delete 2 runs for good? They take" in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: not any(runs[n].path.exists() for n in ("gan-a", "gan-b")))
        assert all(runs[name].path.exists() for name in ("old", "fork"))


@pytest.mark.usefixtures("runs")
async def test_a_folder_that_cannot_be_written_is_said(
    store: Store, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from genai_tui import annotations

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(annotations, "write_atomic", full)
    app, feed = studio(store)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("e")
        await answer(pilot, "x")
        await until(pilot, lambda: "cannot be annotated: No space left" in screen_text(app))
        assert runs["fork"].annotation().note == ""
