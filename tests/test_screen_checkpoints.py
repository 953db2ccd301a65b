"""The checkpoints of a run, as its user meets them: whole or not, why kept, and what next."""

import hashlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import build_runs
import pytest
from build_runs import NOW
from studio import studio, until
from test_screen_run import SIZES, opened
from textual.pilot import Pilot
from textual.widgets import OptionList

from backends.records import Score
from genai_tui import checkpoint_list, evaluation, launch, liveness
from genai_tui.log import Log
from genai_tui.screens.checkpoints import CheckpointsScreen
from genai_tui.screens.new_run import NewRunScreen
from genai_tui.screens.playground import PlaygroundScreen
from genai_tui.screens.run import RunScreen
from genai_tui.store import Run, Store
from genai_tui.widgets.field import Field


@pytest.fixture(autouse=True)
def _nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def run(store: Store) -> Run:
    train = {"keep_checkpoints": 2}
    run = build_runs.build(store, "fashion-vae", step=2000, of=2000, train=train)  # pyright: ignore
    for step in (500, 1000, 1500, 2000):
        save(run, step)
    return run


def save(run: Run, step: int) -> Path:
    """A checkpoint as a training leaves it."""
    folder = run.path / "checkpoints" / f"step-{step:06d}"
    folder.mkdir(parents=True)
    data = {"state.json": b"{}", "ema.safetensors": b"\0" * 5_000_000}
    for name, content in data.items():
        (folder / name).write_bytes(content)
    files = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in data.items()
    }
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))
    os.utime(folder, (NOW, NOW))
    return folder


def damage(folder: Path) -> None:
    (folder / "ema.safetensors").write_bytes(b"\1" * 5_000_000)
    os.utime(folder, (NOW, NOW))


def lines(screen: CheckpointsScreen) -> list[str]:
    options = screen.query_one(OptionList)
    return [str(options.get_option_at_index(i).prompt) for i in range(options.option_count)]


def said(screen: CheckpointsScreen) -> str:
    return screen.query_one("#found", Field).text


@asynccontextmanager
async def listed(
    store: Store, run: Run, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[Pilot[None], CheckpointsScreen]]:
    app, feed = studio(store, run)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, feed)
        await pilot.press("K")
        await until(pilot, lambda: isinstance(app.screen, CheckpointsScreen))
        screen = app.screen
        assert isinstance(screen, CheckpointsScreen)
        await until(pilot, lambda: len(screen._verdicts) == len(run.checkpoint_steps()))
        await pilot.pause()
        yield pilot, screen


# ---------------------------------------------------------------------------- the list


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_checkpoints(
    store: Store, run: Run, size: tuple[int, int], snap_compare: Any
) -> None:
    damage(run.path / "checkpoints" / "step-001000")
    app, feed = studio(store, run)

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, feed)
        await pilot.press("K")
        await until(pilot, lambda: isinstance(app.screen, CheckpointsScreen))
        screen = app.screen
        assert isinstance(screen, CheckpointsScreen)
        await until(pilot, lambda: len(screen._verdicts) == 4)
        await pilot.press("down", "down")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)


async def test_each_says_its_size_whether_it_is_whole_and_why_it_is_kept(
    store: Store, run: Run
) -> None:
    damage(run.path / "checkpoints" / "step-001000")
    async with listed(store, run) as (pilot, screen):
        told = [line.split("  ") for line in lines(screen)]
        cells = [[cell.strip() for cell in line if cell.strip()] for line in told]
        assert [line[0] for line in cells] == ["2,000", "1,500", "1,000", "500"]
        assert {line[1] for line in cells} == {"5.0 MB"}
        assert [line[3] for line in cells] == ["yes", "yes", "damaged", "yes"]
        assert cells[0][4].startswith("the newest")
        assert cells[1][4].startswith("one of the newest 2")
        assert cells[3][4].startswith("not pruned yet")
        assert sum("lowest validation loss" in line[4] for line in cells) == 1
        await pilot.press("down", "down")
        await until(pilot, lambda: "ema.safetensors is not what was saved" in said(screen))


def test_what_a_later_attempt_passed_over_is_called_so(run: Run) -> None:
    save(run, 2500)  # of an attempt that came to nothing: the status knows of 2,000
    assert checkpoint_list.listing(run)[0].why == "passed over by a later attempt"


@pytest.mark.parametrize(
    ("knobs", "reasons"),
    [
        ({"milestone_every": 500}, ["a milestone", "a milestone"]),
        ({"milestone_every": 1000}, ["a milestone", "not pruned yet"]),
        ({"keep_best": "+ssim", "milestone_every": 1000}, ["a milestone", "the best ssim"]),
    ],
    ids=str,
)
def test_older_ones_are_kept_as_milestones_or_as_the_best(
    store: Store, knobs: dict[str, Any], reasons: list[str]
) -> None:
    train = {"keep_checkpoints": 2, **knobs}
    run = build_runs.build(store, "fashion-vae", step=2000, of=2000, train=train)
    for step in (500, 1000, 1500, 2000):
        save(run, step)
    why = [kept.why.partition(" · ")[0] for kept in checkpoint_list.listing(run)]
    assert why == ["the newest", "one of the newest 2", *reasons]


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ("{", "its manifest cannot be read"),
        ('{"files": 3}', "its manifest cannot be read"),
        ('{"files": {"a": {"sha256": ""}}}', "its manifest misses the state"),
        (
            '{"files": {"state.json": {"sha256": ""}, "../run.json": {"sha256": ""}}}',
            "state.json is not what was saved",
        ),
        (
            '{"files": {"../run.json": {"sha256": ""}, "state.json": {"sha256": ""}}}',
            "its manifest names other files than its own",
        ),
        (None, "manifest.json: No such file or directory"),
    ],
)
def test_a_manifest_is_not_believed(run: Run, manifest: str | None, sentence: str) -> None:
    folder = run.path / "checkpoints" / "step-002000"
    file = folder / "manifest.json"
    file.unlink() if manifest is None else file.write_text(manifest)
    assert checkpoint_list.verdict(folder) == sentence


async def test_without_a_checkpoint_the_list_says_when_there_is_one(store: Store) -> None:
    run = build_runs.build(store, "new", step=0, of=2000, samples_every=0)
    async with listed(store, run) as (pilot, screen):
        await until(pilot, lambda: "No checkpoint yet" in said(screen))
        await pilot.press("p", "F", "e")
        assert screen.is_current


async def test_scores_of_the_chosen_one_are_told(store: Store, run: Run) -> None:
    pen = Log(run.scores)
    pen.append(Score(step=1500, t=NOW, metric="fd", value=12.5, features="x", better="lower"))
    pen.close()
    async with listed(store, run) as (pilot, screen):
        await until(pilot, lambda: said(screen) == "not scored yet: e scores it")
        await pilot.press("down")
        await until(pilot, lambda: said(screen).startswith("fd ↓ 12.50"))


# ---------------------------------------------------------------------------- what next


async def test_p_opens_the_playground_at_that_checkpoint(store: Store, run: Run) -> None:
    async with listed(store, run) as (pilot, _):
        await pilot.press("down", "p")
        await until(pilot, lambda: isinstance(pilot.app.screen, PlaygroundScreen))
        screen = pilot.app.screen
        assert isinstance(screen, PlaygroundScreen)
        assert screen._step == 1500


async def test_f_forks_from_that_checkpoint(store: Store, run: Run) -> None:
    async with listed(store, run) as (pilot, _):
        await pilot.press("down", "F")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        screen = pilot.app.screen
        assert isinstance(screen, NewRunScreen)
        assert screen._fork is not None
        assert screen._fork.chosen == 1500


async def test_e_scores_that_checkpoint_in_a_worker_of_its_own(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, int]] = []
    monkeypatch.setattr(evaluation, "begin", lambda run, step: begun.append((run.id, step)))
    async with listed(store, run) as (pilot, _):
        await pilot.press("down", "e")
        await until(pilot, lambda: pilot.app._notifications)
        assert begun == [(run.id, 1500)]
        assert "1,500 is being scored" in next(iter(pilot.app._notifications)).message


async def test_one_evaluation_at_a_time(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "begin", lambda *_: pytest.fail("it was begun"))
    fd = liveness.hold_keeper(run.path / "scores.lock")
    try:
        async with listed(store, run) as (pilot, _):
            await pilot.press("e")
            await until(pilot, lambda: pilot.app._notifications)
            assert "under way" in next(iter(pilot.app._notifications)).message
    finally:
        os.close(fd)


async def test_an_evaluation_that_cannot_begin_is_told(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise launch.LaunchError("no process can be started")

    monkeypatch.setattr(evaluation, "begin", fail)
    async with listed(store, run) as (pilot, _):
        await pilot.press("e")
        await until(pilot, lambda: pilot.app._notifications)
        assert next(iter(pilot.app._notifications)).message == "no process can be started"


async def test_escape_goes_back_to_the_run(store: Store, run: Run) -> None:
    async with listed(store, run) as (pilot, _):
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
