"""Every theme that is offered can be read on a terminal of 256 colours."""

import build_runs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from studio import studio, until
from textual.color import Color

from genai_tui.legible import ENOUGH, Legible, contrast, legible
from genai_tui.store import Store
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.run_table import RunTable

BLACK, WHITE = RichColor.from_rgb(0, 0, 0), RichColor.from_rgb(255, 255, 255)
colours = st.builds(RichColor.from_rgb, *[st.integers(0, 255)] * 3)


def test_the_contrast_is_that_of_the_standard() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, WHITE) == 1


@given(colours, colours)
def test_whatever_the_colours_words_are_legible(ink: RichColor, behind: RichColor) -> None:
    mended = legible(Style(color=ink, bgcolor=behind, bold=True), Color(0, 0, 0))
    assert mended.color is not None
    assert contrast(mended.color, behind) >= ENOUGH
    assert (mended.bgcolor, mended.bold) == (behind, True)


def test_pictures_curves_and_the_terminals_own_colours_are_left_alone() -> None:
    faint = Style(color=RichColor.from_rgb(20, 20, 20), bgcolor=BLACK)
    own = Style(color=RichColor.parse("red"), bgcolor=BLACK)
    line = [Segment("▀⣿━", faint), Segment("red", own), Segment("plain", None)]
    assert Legible().apply(line, Color(0, 0, 0)) == line


async def test_selected_rows_keys_and_errors_of_every_theme_are_legible(store: Store) -> None:
    build_runs.build(store, "chosen", step=100, telemetry=0)
    broken = build_runs.build(store, "broken", step=100, seed=1, telemetry=0)
    (broken.path / "run.json").write_text("{")
    app, feed = studio(store)
    app.console._color_system = ColorSystem.EIGHT_BIT
    async with app.run_test(size=(100, 24)) as pilot:
        feed.tell_runs()
        table = app.screen.query_one(RunTable)
        await until(pilot, lambda: len(table.runs) == 2)
        for name in sorted(app.available_themes):
            app.theme = name
            await pilot.pause()
            for widget in (table, app.screen.query_one(KeyBar)):
                for strip in widget.render_lines(widget.size.region):
                    for text, style, _ in strip:
                        if style and style.color and style.bgcolor and text.strip().isalnum():
                            inks = style.color, style.bgcolor
                            own = any(ink.triplet is None for ink in inks)
                            assert own or contrast(*inks) >= ENOUGH, (name, text)
