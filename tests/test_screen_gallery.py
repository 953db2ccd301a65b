"""The gallery of all runs, as keystrokes and as pictures."""

import os
from typing import Any

import build_runs
import msgspec
import pytest
from studio import StillFeed, screen_text, studio, until
from textual.pilot import Pilot

from backends.records import SampleRequest
from genai_tui import playground, stars
from genai_tui.exports.samples import Subject
from genai_tui.gallery import VIEWS, Collection, held, shelved
from genai_tui.screens.choose import Choose
from genai_tui.screens.gallery import GalleryScreen
from genai_tui.screens.playground import PlaygroundScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.screens.samples import SamplesScreen
from genai_tui.store import Store
from genai_tui.widgets.sample_view import SampleView
from genai_tui.widgets.wall import Wall, arrangement

RUNS = (
    ("shoes", "gan/dcgan", "fashion-mini", "image"),
    ("verses", "autoregressive/gpt", "shakespeare-mini", "text"),
    ("shirts", "vae/conv", "fashion-mini", "image"),
    ("icons", "gan/dcgan", "icons-mini", "image"),
)


@pytest.fixture
def runs(store: Store) -> Store:
    """Four runs with two sample steps each, the first the oldest."""
    for number, (name, model, dataset, modality) in enumerate(RUNS):
        run = build_runs.build(
            store,
            name,
            model=model,
            dataset=dataset,
            modality=modality,  # pyright: ignore[reportArgumentType]
            step=200,
            of=200,
            samples_every=200,
            telemetry=0,
            seed=number,
        )
        for step, folder in run.samples():
            os.utime(folder, (1000 * number + step, 1000 * number + step))
    return store


async def opened(pilot: Pilot[None], feed: StillFeed) -> GalleryScreen:
    await until(pilot, lambda: isinstance(feed.listener, RunsScreen))
    await pilot.press("2")
    await until(pilot, lambda: isinstance(pilot.app.screen, GalleryScreen))
    screen = pilot.app.screen
    assert isinstance(screen, GalleryScreen)
    await until(pilot, lambda: feed.listener is screen)
    feed.tell_runs()
    await hung(pilot, screen)
    return screen


async def hung(pilot: Pilot[None], screen: GalleryScreen) -> None:
    """Waits until every card shows what it shall."""
    wall = screen.query_one(Wall)
    await until(pilot, lambda: screen._items is not None)
    await until(pilot, lambda: len(wall.cards) == wall.columns * wall.rows)
    await until(pilot, lambda: not screen._reads)
    await until(pilot, lambda: all(view.is_settled for view in screen.query(SampleView)))
    await pilot.pause()


def names(screen: GalleryScreen) -> list[str]:
    """What hangs on the wall, row by row."""
    cards = screen.query_one(Wall).cards
    return [str(card.border_title) for card in cards if card.visible]


def title(screen: GalleryScreen) -> tuple[str, str]:
    frame = screen.query_one("#gallery")
    return str(frame.border_title), str(frame.border_subtitle)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
def test_the_picture_of_the_gallery(
    runs: Store, size: tuple[int, int], theme: str, snap_compare: Any
) -> None:
    app, feed = studio(runs)
    app.settings = type(app.settings)(theme=theme)

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, feed)
        await pilot.press("right", "asterisk", "m")
        await until(pilot, lambda: "✓ ★ shirts" in names(screen))
        await hung(pilot, screen)

    assert snap_compare(app, terminal_size=size, run_before=before)


async def test_z_goes_through_the_views(runs: Store) -> None:
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        assert names(screen) == ["icons", "shirts", "verses", "shoes"]
        assert title(screen) == ("gallery · newest of each run", "1 of 4")
        await pilot.press("z")
        assert title(screen) == ("gallery · every step", "1 of 8")
        await pilot.press("z")
        await pilot.pause()
        assert title(screen)[0] == "gallery · by model"
        assert names(screen) == ["verses", "icons", "shoes", "shirts"]
        assert "autoregressive/gpt" in screen_text(app)
        await pilot.press("z")
        await pilot.pause()
        assert names(screen) == ["shirts", "shoes", "icons", "verses"]
        await pilot.press("z")
        await until(pilot, lambda: "Nothing is starred yet" in screen_text(app))


async def test_results_of_playgrounds_have_a_view_and_open_where_they_were_drawn(
    runs: Store,
) -> None:
    run = next(run for run in runs.runs() if run.label == "shirts")
    folder = run.path / "playground" / "20261122-120000-000aa"
    build_runs.draw(folder, "image", 4, 1.0)
    kept = playground.Kept(step=200, t=build_runs.NOW, request=SampleRequest(count=4))
    (folder / "request.json").write_bytes(msgspec.json.encode(kept))
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("z")
        assert title(screen) == ("gallery · every step", "1 of 8")
        await pilot.press(*"zzzz")
        await until(pilot, lambda: title(screen) == ("gallery · playground", "1 of 1"))
        await until(pilot, lambda: names(screen) == ["shirts"])
        await pilot.press("asterisk")
        await until(pilot, lambda: names(screen) == ["★ shirts"])
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PlaygroundScreen))
        assert isinstance(app.screen, PlaygroundScreen)
        assert (app.screen.run.id, app.screen._step) == (run.id, 200)


async def test_a_star_is_found_again_in_its_view_and_taken_back(runs: Store) -> None:
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("right", "right", "asterisk", "e", *"a verse", "enter")
        await until(pilot, lambda: title(screen)[1] == "a verse · 3 of 4")
        await pilot.press(*"zzzz")
        await until(pilot, lambda: names(screen) == ["★ verses"])
        kept = stars.read(next(run.path for run in runs.runs() if run.label == "verses"))
        assert kept == {"samples/step-000200": stars.Keepsake(starred=True, note="a verse")}
        await pilot.press("asterisk")
        await until(pilot, lambda: "Nothing is starred yet" in screen_text(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_what_is_starred(
    runs: Store, size: tuple[int, int], snap_compare: Any
) -> None:
    by_name = {run.label: run.path for run in runs.runs()}
    stars.put(by_name["shirts"], "samples/step-000200/002", stars.Keepsake(starred=True))
    stars.put(by_name["shoes"], "samples/step-000200", stars.Keepsake(starred=True, note="best"))
    stars.put(by_name["verses"], "samples/step-000000/001", stars.Keepsake(starred=True))
    app, feed = studio(runs)

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, feed)
        await pilot.press(*"zzzz")
        await until(pilot, lambda: len(names(screen)) == 3)
        await hung(pilot, screen)

    assert snap_compare(app, terminal_size=size, run_before=before)


async def test_a_single_sample_that_is_starred_hangs_alone_and_opens_large(runs: Store) -> None:
    run = next(run for run in runs.runs() if run.label == "shirts")
    folder = "samples/step-000200"
    stars.put(run.path, f"{folder}/002", stars.Keepsake(starred=True, note="a neat one"))
    stars.put(run.path, "samples/step-000999/002", stars.Keepsake(starred=True))  # is gone
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        assert len(names(screen)) == 4
        await pilot.press(*"zzzz")
        await until(pilot, lambda: names(screen) == ["★ shirts"])
        await hung(pilot, screen)
        (card,) = (card for card in screen.query_one(Wall).cards if card.visible)
        assert str(card.border_subtitle) == "step 200 · sample 3 · vae/conv"
        assert card.page.picture is not None
        assert card.page.picture.shape == (28, 28, 3)
        assert title(screen)[1] == "a neat one · 1 of 1"
        assert screen.selected[0].tile == 2
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SamplesScreen))
        machine = app.screen
        await until(pilot, lambda: machine in feed.followers)
        feed.look()
        view = machine.query_one(SampleView)
        await until(pilot, lambda: "step 200 · 2 of 2 · sample 3 of" in str(view.border_title))
        await pilot.press("escape", "escape", "escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("asterisk")
        await until(pilot, lambda: "Nothing is starred yet" in screen_text(app))
        kept = stars.read(run.path)
        assert kept[f"{folder}/002"] == stars.Keepsake(note="a neat one")


async def test_typing_filters_and_escape_shows_all_again(runs: Store) -> None:
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("slash", *"gan sho", "enter")
        await pilot.pause()
        assert names(screen) == ["shoes"]
        await pilot.press("slash", "x")
        await until(pilot, lambda: "No samples contain that" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(names(screen)) == 4)
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)


async def test_enter_opens_the_time_machine_there_and_q_comes_back(runs: Store) -> None:
    app, feed = studio(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        assert len(names(screen)) == 4
        await pilot.press("z", "right", "enter")
        await until(pilot, lambda: isinstance(app.screen, SamplesScreen))
        machine = app.screen
        await until(pilot, lambda: machine in feed.followers)
        feed.look()
        view = machine.query_one(SampleView)
        await until(pilot, lambda: "icons · step 0 · 1 of 2" in str(view.border_title))
        await pilot.press("asterisk")
        run = next(run for run in runs.runs() if run.label == "icons")
        await until(pilot, lambda: stars.read(run.path))
        await pilot.press("q")
        await until(pilot, lambda: app.screen is screen)
        await until(pilot, lambda: "★ icons" in names(screen))


async def test_what_a_run_draws_comes_first_and_the_cursor_stays_on_its_own(runs: Store) -> None:
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        run = next(run for run in runs.runs() if run.label == "shoes")
        build_runs.draw(run.path / "samples" / "step-000400", "image", 4, 1.0)
        feed.tell_runs()
        await until(pilot, lambda: names(screen) == ["shoes", "icons", "shirts", "verses"])
        assert title(screen)[1] == "2 of 4"
        await hung(pilot, screen)
        assert "step 400 · gan/dcgan" in screen_text(app)


async def test_what_is_marked_is_exported_together(
    runs: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("m", "right", "m", "E")
        assert "2 marked" in title(screen)[1]
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await until(pilot, lambda: "a contact sheet with captions" in screen_text(app))
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "Exported" in screen_text(app))
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["contact-sheet-2.png"]
        await pilot.press("right", "m", "E")
        await until(pilot, lambda: "cannot be exported together" in screen_text(app))
        await pilot.press("M", "E")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert "jsonl" in screen_text(app)
        await pilot.press("escape")
        assert app.screen is screen


async def test_a_click_goes_to_a_card_and_a_second_one_opens_it(runs: Store) -> None:
    app, feed = studio(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        card = screen.query_one(Wall).cards[3]
        await pilot.click(card)
        assert title(screen)[1] == "4 of 4"
        await pilot.click(card, times=2)
        await until(pilot, lambda: isinstance(app.screen, SamplesScreen))


async def test_the_cursor_goes_from_row_to_row_and_turns_pages(runs: Store) -> None:
    app, feed = studio(runs)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("z", "end")
        await hung(pilot, screen)
        assert title(screen)[1] == "7 of 8"
        assert names(screen) == ["verses", "verses", "shoes", "shoes"]
        await pilot.press("right", "right", "up")
        assert title(screen)[1] == "6 of 8"
        await pilot.press("pageup", "left")
        await hung(pilot, screen)
        assert title(screen)[1] == "1 of 8"
        assert names(screen)[0] == "icons"
        await pilot.resize_terminal(200, 60)
        await until(pilot, lambda: len(names(screen)) == 8)


async def test_a_gallery_without_samples_says_where_they_come_from(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(feed.listener, RunsScreen))
        await pilot.press("2")
        await until(pilot, lambda: "No samples yet" in screen_text(app))
        await pilot.press("enter", "asterisk", "e", "y", "E", "o", "m", "z", "right", "down", "end")
        assert isinstance(app.screen, GalleryScreen)


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (0, (200, 56), (6, 4)),
        (500, (200, 56), (6, 4)),
        (500, (20, 5), (1, 1)),
        (1, (200, 56), (1, 1)),
        (6, (200, 56), (3, 2)),
        (4, (80, 22), (2, 2)),
    ],
)
def test_few_cards_are_larger(count: int, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert arrangement(count, *size) == expected


def test_a_run_that_has_not_changed_is_not_listed_again(
    runs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genai_tui import sample_files

    listed: list[str] = []
    listing = sample_files.listing
    monkeypatch.setattr(
        sample_files, "listing", lambda path: listed.append(path.name) or listing(path)
    )
    collection = Collection(runs.root)
    summaries = runs.summaries()
    assert collection.items(summaries) is collection.items(summaries)
    assert len(listed) == 4
    changed = runs.runs()[0]
    build_runs.draw(changed.path / "samples" / "step-000300", "image", 4, 1.0)
    items = collection.items(summaries)
    assert listed[4:] == [changed.id]
    assert len(shelved(held(items, VIEWS[1], []), 3).rows) == 3
    assert Subject(changed, items[0].drawn).files
