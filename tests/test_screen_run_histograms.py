"""Histograms on the Run screen: beside the charts, read at the same instant, with the same keys."""

import csv
from pathlib import Path
from typing import Any

import build_runs
import pytest
from studio import screen_text, studio, until
from test_screen_run import SIZES, opened, painted
from test_screen_run_charts import looking
from textual.pilot import Pilot

from genai_tui import liveness
from genai_tui.settings import Settings
from genai_tui.store import Run, Store
from genai_tui.widgets.chart_panel import Chart, HeatChart
from genai_tui.widgets.charts import Charts

NAMES = ("weights/encoder", "gradients/encoder")


@pytest.fixture(autouse=True)
def _nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path / "state"))


@pytest.fixture
def live(store: Store) -> Run:
    run = build_runs.build(store, "fashion-vae", step=1400, state="running", samples_every=200)
    for name in NAMES:
        build_runs.spread(run, name, range(100, 1401, 100))
    liveness.hold_keeper(run.path / "keeper.lock")
    return run


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_histograms(
    store: Store, live: Run, size: tuple[int, int], theme: str, snap_compare: Any
) -> None:
    app, feed = studio(store, live)

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, feed)
        app.theme = theme
        await until(pilot, lambda: screen.focused)
        await pilot.press("slash", *"encoder", "enter")
        await pilot.press("left", "ctrl+left")
        await painted(pilot, screen)

    assert snap_compare(app, terminal_size=size, run_before=before)


async def test_histograms_have_charts_behind_the_curves(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        assert look.names[-2:] == list(NAMES)
        assert "weights/encoder" not in look.names[:-2]


async def test_a_cursor_reads_curves_and_histograms_at_one_step(store: Store, live: Run) -> None:
    async with looking(store, live, (200, 60)) as look:
        heat = look.screen.query(HeatChart).first()
        assert heat.render_line(0).text.split("   ")[0].strip() == "● 20k in -0.4500 … 0.4050"
        for _ in range(6):
            await look.press("ctrl+left")
        step = look.screen.query_one(Charts).lens.instant
        assert step is not None
        there = look.screen.history.spreads[NAMES[0]].at(step.step)
        assert there is not None
        assert there.step < 1400
        assert f"{there.most:.4f}   @{step.step:g}" in heat.render_line(0).text


async def test_the_charts_of_histograms_are_pinned_hidden_and_searched_as_all_are(
    store: Store, live: Run
) -> None:
    async with looking(store, live) as look:
        await look.press("slash")
        await look.write("encoder")
        await look.press("enter")
        assert look.names == list(NAMES)
        assert isinstance(look.screen.focused, HeatChart)
        await look.press("down", "P")
        assert look.names == [NAMES[1], NAMES[0]]
        await look.press("h")
        assert look.names == [NAMES[0]]


async def test_l_shades_by_the_logarithm_of_counts(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("slash")
        await look.write("weights")
        await look.press("enter")
        heat = look.screen.query(HeatChart).first()
        before = heat.picture(40, 12)
        await look.press("l")
        assert str(heat.border_subtitle) == "log"
        assert heat.picture(40, 12) != before
        assert not any(chart.log_y for chart in look.screen.query(Chart))


async def test_histograms_are_exported_as_a_table(store: Store, live: Run, tmp_path: Path) -> None:
    async with looking(store, live) as look:
        look.pilot.app.settings = Settings(exports=str(tmp_path / "out"))  # pyright: ignore
        await look.press("slash")
        await look.write("weights")
        await look.press("enter", "E")
        await until(look.pilot, lambda: list((tmp_path / "out").glob("*.csv")))
        (file,) = (tmp_path / "out").glob("*.csv")
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert [row["step"] for row in rows] == [str(step) for step in range(100, 1401, 100)]
        assert sum(float(rows[0][f"bin_{place}"]) for place in range(48)) == pytest.approx(
            2e4, 1e-3
        )


async def test_where_there_are_only_letters_the_shades_are_letters(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        look.pilot.app.settings = Settings(unicode="no")  # pyright: ignore
        await look.press("slash")
        await look.write("weights")
        await look.press("enter")
        await until(look.pilot, lambda: look.screen.query(HeatChart).first().coarse)
        await look.pilot.pause()
        heat = look.screen.query(HeatChart).first()
        drawn = "".join(text for row in heat.picture(60, 12) for text, _ in row)
        assert "▓" in drawn
        assert "▀" not in drawn
        assert screen_text(look.pilot.app).isascii()
