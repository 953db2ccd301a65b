"""The view of samples on a terminal that decodes what it is sent."""

from pathlib import Path

import build_runs
import numpy as np
import pytest
from studio import screen_text
from test_images_view import KITTY, Studio, drive, until
from textual.pilot import Pilot

from genai_tui.widgets.sample_pages import Look, Place
from genai_tui.widgets.sample_view import SampleView


@pytest.fixture(autouse=True)
def _true_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


async def test_blinking_between_two_steps_sends_each_picture_once(tmp_path: Path) -> None:
    places = [Place(tmp_path, f"samples/step-00000{step}") for step in (0, 1)]
    for step, place in enumerate(places):
        build_runs.draw(tmp_path / place.relative, "image", 4, float(step))
    view = SampleView(pictures=2)
    app = Studio(view, graphics=KITTY)
    sent: list[int] = []
    seen: list[np.ndarray] = []

    async def script(pilot: Pilot[None]) -> None:
        for number in (0, 1, 0, 1, 0):
            view.look(Look(places[number]))
            await until(pilot, lambda: view.is_settled)
            await pilot.pause()
            sent.append("".join(app.written).count("a=T"))
            seen.append(app.terminal.pixels(4, 8))

    await drive(app, (70, 34), script)
    assert sent == [1, 2, 2, 2, 2]
    assert (seen[0] != seen[1]).any()
    assert (seen[0] == seen[2]).all()
    assert (seen[1] == seen[3]).all()
    assert (seen[0] == seen[4]).all()


async def test_the_text_that_is_pointed_at_is_scrolled_to(tmp_path: Path) -> None:
    folder = tmp_path / "samples" / "step-000000"
    folder.mkdir(parents=True)
    for number in range(6):
        (folder / f"{number:03d}.txt").write_text("word " * 80)
    view = SampleView()
    app = Studio(view, css=".texts { width: 1fr; height: auto; }")

    async def script(pilot: Pilot[None]) -> None:
        look = Look(Place(tmp_path, "samples/step-000000"))
        view.look(look)
        await until(pilot, lambda: view.is_settled)
        for number in (3, 0, 2):
            view.look(look, number)
            await until(pilot, lambda: screen_text(app).split()[0] == str(number + 1))  # noqa: B023

    await drive(app, (40, 12), script)
