"""The time machine of a run's samples, as keystrokes and as pictures."""

import wave
from pathlib import Path
from typing import Any

import build_runs
import msgspec
import numpy as np
import pytest
from studio import StillFeed, screen_text, studio, until
from textual.pilot import Pilot

from backends.records import SampleRequest
from genai_tui import player as players
from genai_tui import stars
from genai_tui.app import StudioApp
from genai_tui.images.view import ImageView
from genai_tui.screens.ask_note import AskNote
from genai_tui.screens.choose import Choose
from genai_tui.screens.run import RunScreen
from genai_tui.screens.samples import SamplesScreen
from genai_tui.store import Run, Store
from genai_tui.widgets.sample_facts import SampleFacts
from genai_tui.widgets.sample_view import SampleView
from genai_tui.widgets.samples import Samples
from genai_tui.widgets.timeline import Timeline

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def clothes(store: Store) -> Run:
    run = build_runs.build(store, "clothes", step=800, of=1000, samples_every=200, telemetry=1)
    for _, folder in run.samples():
        tell(folder, SampleRequest(count=16, seed=7), labels=[0, 1] * 8)
    return run


@pytest.fixture
def poems(store: Store) -> Run:
    run = build_runs.build(
        store,
        "poems",
        model="autoregressive/gpt",
        modality="text",
        step=400,
        of=400,
        samples_every=200,
        telemetry=1,
    )
    for word, (_, folder) in zip(("sun", "moon", "stars"), run.samples(), strict=True):
        (folder / "000.txt").write_text(f"the {word} is bright")
        tell(folder, SampleRequest(count=4, prompt="the"))
    return run


def tell(folder: Path, request: SampleRequest, **what: object) -> None:
    (folder / "request.json").write_bytes(msgspec.json.encode({"request": request, **what}))


async def opened(pilot: Pilot[None], feed: StillFeed) -> SamplesScreen:
    """The time machine, opened from the run's screen."""
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and feed.followers)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, SamplesScreen))
    screen = pilot.app.screen
    assert isinstance(screen, SamplesScreen)
    await until(pilot, lambda: screen in feed.followers)
    feed.look()
    await until(pilot, lambda: screen.moments.drawn)
    await settled(pilot, screen)
    return screen


async def settled(pilot: Pilot[None], screen: SamplesScreen) -> None:
    await until(pilot, lambda: screen.query_one(SampleView).is_settled)
    await pilot.pause()


def title(screen: SamplesScreen) -> str:
    return str(screen.query_one(SampleView).border_title)


def below(screen: SamplesScreen) -> str:
    return str(screen.query_one(SampleView).border_subtitle)


def facts(screen: SamplesScreen) -> str:
    return screen.query_one(SampleFacts).query_one("Field").text  # pyright: ignore[reportAttributeAccessIssue]


def seen(screen: SamplesScreen) -> np.ndarray:
    (view,) = (view for view in screen.query(ImageView) if view.display)
    assert view._picture is not None
    return view._picture


# ---------------------------------------------------------------------------- pictures


def picture(app: StudioApp, feed: StillFeed, size: Any, snap_compare: Any, *keys: str) -> None:
    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, feed)
        await pilot.press(*keys)
        await settled(pilot, screen)
        facts = screen.query_one(SampleFacts)  # the path of the test's folder differs every time
        facts.query_one("Field").display = False

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_the_time_machine(
    store: Store, clothes: Run, size: tuple[int, int], snap_compare: Any
) -> None:
    app, feed = studio(store, clothes)
    picture(app, feed, size, snap_compare, "m", "left", "down", "down")


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_texts_in_a_light_theme(
    store: Store, poems: Run, size: tuple[int, int], snap_compare: Any
) -> None:
    app, feed = studio(store, poems)
    app.settings = type(app.settings)(theme="textual-light")
    picture(app, feed, size, snap_compare)


# ---------------------------------------------------------------------------- going through


async def test_left_and_right_go_through_all_steps_and_space_plays_them(
    store: Store, clothes: Run
) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        assert title(screen).startswith("clothes · step 800 · 5 of 5")
        await pilot.press("left", "left")
        assert "step 400 · 3 of 5" in title(screen)
        await pilot.press("home", "left")
        assert "step 0 · 1 of 5" in title(screen)
        await pilot.press("space")
        assert below(screen).startswith("playing")
        await until(pilot, lambda: "step 800 · 5 of 5" in title(screen))
        await until(pilot, lambda: "playing" not in below(screen))
        await pilot.press("space")
        assert "step 0 · 1 of 5" in title(screen), "at the end it begins anew"
        await pilot.press("right")
        assert "playing" not in below(screen)


async def test_a_new_step_is_followed_from_the_end_and_only_there(
    store: Store, clothes: Run
) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        build_runs.draw(clothes.path / "samples" / "step-001000", "image", 16, 1.0)
        feed.look()
        await until(pilot, lambda: "step 1,000 · 6 of 6" in title(screen))
        await pilot.press("home")
        build_runs.draw(clothes.path / "samples" / "step-001000-abc", "image", 16, 1.0)
        feed.look()
        await until(pilot, lambda: "step 0 · 1 of 7" in title(screen))
        await pilot.press("end")
        assert "step 1,000 · 7 of 7" in title(screen)
        await settled(pilot, screen)
        assert "asked for" in facts(screen)


async def test_pages_and_samples_are_turned_and_one_is_seen_large_with_what_is_known(
    store: Store, clothes: Run
) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        assert "page 1 of 2" in title(screen)
        await pilot.press("j")
        await settled(pilot, screen)
        assert "page 2 of 2" in title(screen)
        await pilot.press("down", "down")
        await pilot.press("enter")
        await settled(pilot, screen)
        assert "sample 10 of 16" in title(screen)
        assert seen(screen).shape == (28, 28, 3)
        known = facts(screen)
        for fact in ("800", "10 of 16", "7", "class 1", "28 x 28", "step-000800/009.png"):
            assert fact in known
        await pilot.press("k", "left")
        await settled(pilot, screen)
        assert "step 600 · 4 of 5 · sample 9 of 16" in title(screen)
        await pilot.press("escape")
        assert "page 2 of 2" in title(screen)
        assert "9 of 16" in facts(screen)
        await pilot.press("escape")
        await until(pilot, lambda: "9 of 16" not in facts(screen))  # all of them again
        await pilot.press("escape")
        assert isinstance(app.screen, RunScreen)


async def test_a_click_chooses_a_sample_another_one_shows_it_large(
    store: Store, clothes: Run
) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        view = screen.query_one(SampleView)
        middle = view.size.width // 2 - 7, view.size.height // 2 - 4
        await pilot.click(SampleView, offset=middle)
        await until(pilot, lambda: " of 16" in facts(screen))
        await pilot.click(SampleView, offset=middle)
        await until(pilot, lambda: "sample 6 of 16" in title(screen))
        await pilot.click(Timeline, offset=(0, 0))
        assert "step 0 · 1 of 5" in title(screen)


async def test_enter_on_the_panel_of_a_run_opens_it_at_the_step_that_is_seen(
    store: Store, clothes: Run
) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.followers)
        feed.look()
        panel = app.screen.query_one(Samples)
        await until(pilot, lambda: panel.page.picture is not None)
        await pilot.press("left")
        panel.focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SamplesScreen))
        feed.look()
        assert isinstance(app.screen, SamplesScreen)
        await until(pilot, lambda: "step 600 · 4 of 5" in title(app.screen))  # pyright: ignore[reportArgumentType]


async def test_v_on_the_list_opens_the_samples_of_the_chosen_run(
    store: Store, clothes: Run
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: feed.listener)
        await pilot.press("v")
        feed.tell_runs()
        await until(pilot, lambda: clothes.label in screen_text(app))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, SamplesScreen))
        feed.look()
        await until(pilot, lambda: "step 800 · 5 of 5" in title(app.screen))  # pyright: ignore[reportArgumentType]


async def test_a_run_without_samples_says_how_to_get_some(store: Store) -> None:
    run = build_runs.build(store, "a", step=10, samples_every=0, telemetry=1)
    app, feed = studio(store, run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: feed.followers)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, SamplesScreen))
        feed.look()
        await until(pilot, lambda: "no samples yet" in screen_text(app))
        await pilot.press("left", "space", "b", "d", "m", "enter", "j", "down", "asterisk", "y")
        assert isinstance(app.screen, SamplesScreen)


# ---------------------------------------------------------------------------- comparing


async def test_b_blinks_with_the_step_before_or_the_marked_one(store: Store, clothes: Run) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        newest = seen(screen).copy()
        await pilot.press("b")
        await until(pilot, lambda: title(screen).startswith("clothes · step 600"))
        assert below(screen).startswith("blinking with step 600")
        await settled(pilot, screen)
        assert (seen(screen) != newest).any()
        await until(pilot, lambda: "step 800" in title(screen))
        await pilot.press("b", "home", "m", "end", "b")
        assert below(screen).startswith("blinking with step 0")
        await pilot.press("left")
        assert "blinking" not in below(screen)


async def test_d_shows_where_pictures_differ_and_says_the_scale(store: Store, clothes: Run) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        now = seen(screen).copy()
        await pilot.press("left")
        await settled(pilot, screen)
        apart = np.abs(now.astype(int) - seen(screen)).max()
        await pilot.press("right", "d")
        await settled(pilot, screen)
        assert f"step 600 · difference, black 0 to yellow {apart} of 255" in below(screen)
        await pilot.press("m", "home", "end", "d", "d")
        await settled(pilot, screen)
        await pilot.press("d")
        await settled(pilot, screen)
        assert (seen(screen) == now).all()


async def test_steps_of_other_sizes_cannot_be_compared_and_say_so(
    store: Store, clothes: Run
) -> None:
    for file in (clothes.path / "samples" / "step-000600").glob("00*.png"):
        file.unlink()
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed)
        await pilot.press("d")
        await until(pilot, lambda: "cannot be compared" in screen_text(app))


async def test_another_run_is_chosen_by_a_part_of_its_name_and_blinked_with(
    store: Store, clothes: Run
) -> None:
    for seed, name in enumerate(("trousers", "shirts", *"abcdef"), 1):
        build_runs.build(store, name, step=500, of=500, telemetry=0, seed=seed)
    poem = build_runs.build(store, "poem", modality="text", step=0, telemetry=0, seed=90)
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("left", "B")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        assert poem.label not in screen_text(app), "it has no pictures"
        await pilot.press(*"irt")
        await until(pilot, lambda: "trousers" not in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: title(screen).startswith("shirts · step 500"))
        assert "blinking with step 500 of shirts" in below(screen)
        await until(pilot, lambda: title(screen).startswith("clothes · step 600"))
        await pilot.press("b", "d")
        await settled(pilot, screen)
        assert "step 500 of shirts · difference" in below(screen)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("down", "up", *"(none", "enter")
        await until(pilot, lambda: below(screen).startswith("step 400 · difference"))


async def test_a_star_on_the_other_run_keeps_the_note_that_is_there(
    store: Store, clothes: Run
) -> None:
    other = build_runs.build(store, "other", step=0, of=500, telemetry=0, seed=1)
    stars.put(other.path, "samples/step-000000", stars.Keepsake(note="mine"))
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("down", "enter")
        await until(pilot, lambda: title(screen).startswith("other · step 0"))
        await pilot.press("asterisk")
        kept = {"samples/step-000000": stars.Keepsake(starred=True, note="mine")}
        await until(pilot, lambda: stars.read(other.path) == kept)
        assert stars.read(clothes.path) == {}


async def test_texts_show_what_has_changed_since_the_step_before(store: Store, poems: Run) -> None:
    app, feed = studio(store, poems)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await until(pilot, lambda: "changes since step 200 · " in below(screen))
        first = screen.query_one(SampleView).page.texts[0]
        changed = "".join(passage.text for passage in first if passage.changed)
        assert "".join(passage.text for passage in first) == "the stars is bright"
        assert set(changed) <= set("stars")
        assert changed
        assert "1 the" in screen_text(app), "what it was drawn for stands beside its number"
        await pilot.press("d")
        await until(pilot, lambda: "changes" not in below(screen))


# ---------------------------------------------------------------------------- keeping


async def test_a_star_and_a_note_are_kept_in_the_runs_folder(store: Store, clothes: Run) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("asterisk")
        await until(pilot, lambda: "★" in facts(screen))
        await pilot.press("left")
        assert "★" not in facts(screen)
        assert "★" in screen_text(app), "on the line of all steps"
        await pilot.press("right", "e", *"good", "enter")
        await until(pilot, lambda: "good" in facts(screen))
        kept = stars.read(clothes.path)
        assert kept == {"samples/step-000800": stars.Keepsake(starred=True, note="good")}
        await pilot.press("asterisk", "e", *["backspace"] * 4, "enter")
        await until(pilot, lambda: stars.read(clothes.path) == {})


async def test_a_star_is_of_the_sample_under_the_cursor_and_marks_it_alone(
    store: Store, clothes: Run
) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        plain = seen(screen)
        await pilot.press("down", "down", "asterisk")
        await until(pilot, lambda: "★ 2" in below(screen))
        assert set(stars.read(clothes.path)) == {"samples/step-000800/001"}
        await pilot.press("escape")  # the cursor goes, the star stays
        await settled(pilot, screen)
        assert "★ 2" in below(screen)
        changed = np.argwhere((seen(screen) != plain).any(axis=2))
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
        assert left >= 28, "not around the first"
        assert (bottom - top, right - left) <= (28 + 3, 28 + 3), "around one, and no more"
        await pilot.press("left")
        await until(pilot, lambda: "★ 2" not in below(screen))
        assert "★" in screen_text(app), "on the line of all steps"
        await pilot.press("right", "down", "down", "enter", "e", *"the best", "enter")
        await until(pilot, lambda: "the best" in facts(screen))
        await pilot.press("asterisk", "e", *["backspace"] * 8, "enter")
        await until(pilot, lambda: stars.read(clothes.path) == {})


async def test_a_text_that_is_starred_has_a_star_beside_its_number(store: Store) -> None:
    run = build_runs.build(
        store, "poems", model="autoregressive/gpt", modality="text", step=0, telemetry=0
    )
    app, feed = studio(store, run)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed)
        await pilot.press("down", "asterisk")
        await until(pilot, lambda: "1 ★" in screen_text(app))
        assert set(stars.read(run.path)) == {"samples/step-000000/000"}


async def test_a_damaged_file_of_stars_is_not_overwritten(store: Store, clothes: Run) -> None:
    (clothes.path / stars.FILE).write_text("{no")
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("asterisk")
        await until(pilot, lambda: "Not kept:" in screen_text(app))
        assert (clothes.path / stars.FILE).read_text() == "{no"


async def test_y_copies_the_path_and_shows_it(store: Store, clothes: Run) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(200, 60), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("y")
        assert app.clipboard == str(clothes.path / "samples" / "step-000800")
        await pilot.press("down", "y")
        assert app.clipboard == str(clothes.path / "samples" / "step-000800" / "000.png")
        await until(pilot, lambda: "Copied: " in screen_text(app))


async def test_an_export_goes_to_the_folder_of_the_settings_and_says_where(
    store: Store, clothes: Run, tmp_path: Path
) -> None:
    app, feed = studio(store, clothes)
    app.settings = type(app.settings)(exports=str(tmp_path / "taken away"))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, feed)
        for number in (1, 2):
            await pilot.press("down", "E")
            await until(pilot, lambda: isinstance(app.screen, Choose))
            await pilot.press("enter")
            made = tmp_path / "taken away" / f"clothes-step-000800-00{number - 1}.png"
            await until(pilot, made.is_file)
        await until(pilot, lambda: "Exported" in screen_text(app))


async def test_on_a_spared_line_blinking_asks_for_its_pictures(store: Store, clothes: Run) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        app.on_demand = True
        await until(pilot, lambda: "draws them" in screen_text(app))
        await pilot.press("b")
        await settled(pilot, screen)
        await until(pilot, lambda: "draws them" not in screen_text(app))
        await pilot.press("b")
        await settled(pilot, screen)
        assert "step 800" in title(screen)


HOSTILE = "\x1b]0;owned\x07[bold]x[/]\u202e\x9b2J"


async def test_nothing_that_samples_say_reaches_the_terminal_as_it_is(store: Store) -> None:
    run = build_runs.build(store, HOSTILE, modality="text", step=0, telemetry=0)
    folder = run.path / "samples" / "step-000000"
    (folder / "000.txt").write_text(HOSTILE)
    (folder / "001.txt").write_bytes(bytes(range(256)))
    tell(folder, SampleRequest(prompt=HOSTILE), captions=[HOSTILE])
    stars.put(run.path, "samples/step-000000", stars.Keepsake(note=HOSTILE))
    app, feed = studio(store, run)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("y", "o", "down")
        await until(pilot, lambda: "no sounds" in screen_text(app))
        shown = screen_text(app).replace("\n", "")
        assert "[bold]x[/]" in shown
        assert shown.isprintable()
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, AskNote))
        assert screen_text(app).replace("\n", "").isprintable()


async def test_g_draws_the_samples_in_another_way(store: Store, clothes: Run) -> None:
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        assert below(screen).endswith("quadrant")
        await pilot.press("g")
        await until(pilot, lambda: below(screen).endswith("half"))
        await settled(pilot, screen)


# ---------------------------------------------------------------------------- sounds


def make_wav(path: Path, rate: int = 8000) -> None:
    tone = np.sin(np.arange(rate // 4) * 2 * np.pi * 1000 / rate) * 16000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone.astype("<i2").tobytes())


async def test_a_sound_is_drawn_large_and_played_by_what_the_machine_has(
    store: Store, clothes: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wav(clothes.path / "samples" / "step-000800" / "000.wav")
    app, feed = studio(store, clothes)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, feed)
        await pilot.press("enter")
        await settled(pilot, screen)
        assert "0.25 s · 8,000 Hz" in facts(screen).replace("\n", " ")
        screen._player = players.Player({"PATH": str(tmp_path)})
        await pilot.press("o")
        await until(pilot, lambda: "no player" in screen_text(app))
        heard = tmp_path / "heard"
        program = tmp_path / "aplay"
        program.write_text(f'#!/bin/sh\necho "$2" > {heard}.tmp; mv {heard}.tmp {heard}\n')
        program.chmod(0o755)
        screen._player = players.Player({"PATH": f"{tmp_path}:/bin"})
        await pilot.press("o")
        await until(pilot, heard.exists)
        assert heard.read_text().strip().endswith("samples/step-000800/000.wav")


def test_over_ssh_nothing_is_played_where_nobody_hears_it(tmp_path: Path) -> None:
    with pytest.raises(players.PlayError, match=r"scp .*a\.wav"):
        players.Player({"SSH_CONNECTION": "1 2 3 4", "PATH": "/bin"}).play(tmp_path / "a.wav")
