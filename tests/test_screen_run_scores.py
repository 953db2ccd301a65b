"""Scores on the Run screen: a table as it grows, the phase of an evaluation, the same instant."""

import os
from pathlib import Path
from typing import Any

import build_runs
import pytest
from build_runs import NOW
from studio import studio, until
from test_screen_run import SIZES, opened, painted
from test_screen_run_charts import looking
from textual.pilot import Pilot

from backends.records import Notice, Phase, Record, Score
from genai_tui import liveness
from genai_tui.log import Log
from genai_tui.store import Run, Store
from genai_tui.widgets.run_header import RunHeader
from genai_tui.widgets.scores import Scores


@pytest.fixture(autouse=True)
def _nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path / "state"))


@pytest.fixture
def run(store: Store) -> Run:
    return build_runs.build(store, "fashion-vae", step=1400, of=1400, samples_every=200)


def write(run: Run, *records: Record) -> None:
    pen = Log(run.scores)
    for record in records:
        pen.append(record)
    pen.close()


def scored(step: int) -> list[Record]:
    """What an evaluation of the checkpoint at a step found."""
    kinds = {"fd": 40.0, "kid": 3.0, "precision": 0.8, "recall": 0.4, "density": 0.7, "copied": 0}
    better = {"fd": "lower", "kid": "lower", "copied": "lower"}
    usual: dict[str, Any] = {"step": step, "t": NOW, "features": "classifier-1a2b3c4d"}
    found = [
        Score(
            metric=metric,
            value=value * 1000 / step,
            reference=value / 4,
            better=better.get(metric, "higher"),  # pyright: ignore[reportArgumentType]
            count=1000,
            real=500,
            **usual,
        )
        for metric, value in kinds.items()
    ]
    return [*found, Score(step=step, t=NOW, metric="loss", value=0.25, real=500)]


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_scores(
    store: Store, run: Run, size: tuple[int, int], snap_compare: Any
) -> None:
    write(run, *scored(500), *scored(1000))
    app, feed = studio(store, run)

    async def before(pilot: Pilot[None]) -> None:
        await painted(pilot, await opened(pilot, feed))

    assert snap_compare(app, terminal_size=size, run_before=before)


async def test_a_run_without_scores_has_no_room_for_them(store: Store, run: Run) -> None:
    async with looking(store, run) as look:
        assert not look.screen.query_one(Scores).display


async def test_scores_appear_while_they_are_found(store: Store, run: Run) -> None:
    async with looking(store, run) as look:
        panel = look.screen.query_one(Scores)
        write(run, *scored(1000))
        look.feed.look()
        await until(look.pilot, lambda: "40.00" in panel.text)
        assert "fd ↓" in panel.text
        assert str(panel.border_title) == "scores · step 1,000"


async def test_maximised_the_panel_tells_all(store: Store, run: Run) -> None:
    write(run, *scored(500), *scored(1000))
    async with looking(store, run) as look:
        panel = look.screen.query_one(Scores)
        panel.focus()
        await look.press("f")
        await until(look.pilot, lambda: "the model's own" in panel.text)
        assert panel.text.splitlines()[0].split() == [
            *("step", "score", "value", "of", "real", "data", "samples", "features"),
        ]
        assert len(panel.text.splitlines()) == 1 + 2 * 7


async def test_the_phase_of_an_evaluation_is_told_as_long_as_it_lasts(
    store: Store, run: Run
) -> None:
    async with looking(store, run) as look:
        fd = liveness.hold_keeper(run.path / "scores.lock")
        write(run, Phase(step=1000, t=NOW, name="scoring", done=12_000, of=50_000))
        look.feed.look()
        panel = look.screen.query_one(Scores)
        await until(look.pilot, lambda: panel.phase == "scoring 12,000 of 50,000")
        phase = look.screen.query_one(RunHeader).query_one("#phase")
        await until(look.pilot, lambda: "scoring 12,000" in str(phase.render()))
        os.close(fd)
        look.feed.look()
        await until(look.pilot, lambda: panel.phase == "")
        await until(look.pilot, lambda: "scoring" not in str(phase.render()))


async def test_the_cursor_reads_scores_at_its_step(store: Store, run: Run) -> None:
    write(run, *scored(500), *scored(1000))
    async with looking(store, run) as look:
        panel = look.screen.query_one(Scores)
        await until(look.pilot, lambda: "1,000" in str(panel.border_title))
        while look.screen._instant is None or look.screen._instant.step >= 1000:
            await look.press("ctrl+left")
        assert str(panel.border_title) == "scores · step 500"
        assert "80.00" in panel.text
        while look.screen._instant.step >= 500:
            await look.press("ctrl+left")
        assert panel.text == "none until this step"


async def test_why_an_evaluation_failed_is_said_once_and_not_again(store: Store, run: Run) -> None:
    write(run, Notice(step=500, t=0.0, text="not evaluated: long ago", level="error"))
    async with looking(store, run) as look:
        write(run, Notice(step=500, t=NOW * 2, text="not evaluated: damaged", level="error"))
        look.feed.look()
        await until(look.pilot, lambda: look.pilot.app._notifications)
        told = [note.message for note in look.pilot.app._notifications]
        assert told == ["not evaluated: damaged"]
