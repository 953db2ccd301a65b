"""The playground as a user has it: keys in, requests, pictures and texts out."""

from functools import partial
from pathlib import Path
from typing import Any

import build_runs
import pytest
from playground_host import FLOW, GPT, VAE, FakeSampler
from studio import screen_text, studio, until
from textual.pilot import Pilot

from backends.knob import Knob
from backends.records import Modality, SampleRequest, Step
from genai_tui import launch
from genai_tui.log import Log
from genai_tui.playground import Open, Stop
from genai_tui.screens import playground, sampling
from genai_tui.screens.playground import PlaygroundScreen
from genai_tui.screens.run import RunScreen
from genai_tui.store import Store
from genai_tui.widgets.config_form import ConfigForm
from genai_tui.widgets.gallery import Gallery
from genai_tui.widgets.kept_list import KeptList
from genai_tui.widgets.showing import Showing
from genai_tui.widgets.texts import Texts

SIZES = [(80, 24), (120, 40), (200, 60)]
STEPS = (500, 1000, 1500)


@pytest.fixture(autouse=True)
def _no_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "remembered", lambda: None)


class Play:
    """A playground on a run with three checkpoints, and its sampler."""

    def __init__(
        self, store: Store, knobs: list[Knob], modality: Modality = "image", theme: str = ""
    ) -> None:
        self.run = build_runs.build(store, "shoes", step=1500, telemetry=0, samples_every=0)
        for step in STEPS:
            (self.run.path / f"checkpoints/step-{step:06d}").mkdir(parents=True)
        self.app, _ = studio(store)
        begin = partial(FakeSampler, modality=modality, knobs=knobs)
        self.screen = PlaygroundScreen(self.run, begin=begin)
        self.sampler: FakeSampler = self.screen._sampler  # pyright: ignore
        self.theme = theme

    async def open(self, pilot: Pilot[None]) -> None:
        if self.theme:
            self.app.theme = self.theme
        self.app.push_screen(self.screen)
        await until(pilot, lambda: self.screen.opened is not None)
        await pilot.pause()

    async def press(self, pilot: Pilot[None], *keys: str) -> None:
        """Presses keys and waits until all that was drawn is shown."""
        await pilot.press(*keys)
        await until(pilot, self._is_quiet)
        await pilot.pause()

    def _is_quiet(self) -> bool:
        drawn, shown = self.sampler.drawn, self.showing.result
        return not drawn or self.sampler.slow or (shown is not None and shown.id == drawn[-1].id)

    @property
    def form(self) -> ConfigForm:
        return self.screen.query_one(ConfigForm)

    @property
    def showing(self) -> Showing:
        return self.screen.query_one(Showing)

    @property
    def gallery(self) -> Gallery:
        return self.screen.query_one(Gallery)

    @property
    def kept(self) -> KeptList:
        return self.screen.query_one(KeptList)

    @property
    def texts(self) -> Texts:
        return self.screen.query_one(Texts)


# --------------------------------------------------------------------------- opening


async def test_p_on_a_run_opens_it_and_escape_leads_back_and_ends_the_sampler(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FakeSampler] = []

    def begin(*arguments: Any) -> FakeSampler:
        made.append(FakeSampler(*arguments, modality="image", knobs=VAE))
        return made[-1]

    monkeypatch.setattr(sampling, "Sampler", begin)
    run = build_runs.build(store, "shoes", telemetry=0)
    (run.path / "checkpoints/step-000500").mkdir(parents=True)
    app, feed = studio(store, run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.followers)
        await pilot.press("p")
        await until(pilot, lambda: made and made[0].asked)
        assert isinstance(app.screen, PlaygroundScreen)
        assert made[0].asked == [Open(step=500)]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await until(pilot, lambda: made[0].closed)


async def test_a_run_without_checkpoints_says_what_to_do(store: Store) -> None:
    play = Play(store, VAE)
    for step in STEPS:
        (play.run.path / f"checkpoints/step-{step:06d}").rmdir()
    async with play.app.run_test(size=(120, 40)) as pilot:
        play.app.push_screen(play.screen)
        await until(pilot, lambda: "no checkpoint yet" in screen_text(play.app))
        await pilot.press("ctrl+s")
        assert play.sampler.asked == []
        (play.run.path / "checkpoints/step-000500").mkdir()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: play.sampler.asked == [Open(step=500)])


# --------------------------------------------------------------------------- asking


async def test_the_form_offers_what_the_model_can_be_asked_for_and_nothing_else(
    store: Store,
) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        assert [field.knob.name for field in play.form.fields] == [
            *("checkpoint", "watch", "count", "seed", "labels", "steps", "guidance")
        ]
        text = screen_text(play.app)
        assert f"genai-tui sample {play.run.id} --step 1500 --count 16 --seed 0" in text
        assert "warm on cpu" in text


async def test_what_is_typed_is_asked_for_and_is_the_command(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(160, 40)) as pilot:
        await play.open(pilot)
        await pilot.press(*["down"] * 2, "4", "down", "7", "down", "right", "down", "down", "3")
        await play.press(pilot, "ctrl+s")
        assert [ask.request for ask in play.sampler.drawn] == [
            SampleRequest(count=4, seed=7, labels=[0], guidance=3.0)
        ]
        words = "--step 1500 --count 4 --seed 7 --guidance 3.0 --label Shirt --out drawn"
        assert words in screen_text(play.app)
        assert "4 samples in 0.12 s" in screen_text(play.app)


async def test_a_value_out_of_bounds_is_not_asked_for(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await pilot.press(*["down"] * 5, *"5000", "ctrl+s")
        assert play.sampler.drawn == []
        assert "steps must be a whole number from 1 to 1,000" in screen_text(play.app)


async def test_any_checkpoint_can_be_chosen_the_best_by_its_loss(store: Store) -> None:
    play = Play(store, VAE)
    log = Log(play.run.records)
    for step, loss in ((500, 3.0), (1000, 0.01), (1500, 2.0)):
        log.append(Step(step=step, t=0.0, values={"validation/loss": loss}))
    log.close()
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "right", "ctrl+s")
        await play.press(pilot, "left", "left", "ctrl+s")
        assert [ask.step for ask in play.sampler.drawn] == [1000, 500]


async def test_a_newer_checkpoint_is_offered_while_somebody_types(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playground, "LOOK_SECONDS", 0.05)
    play = Play(store, GPT, "text")
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await pilot.press(*["down"] * 4, *"KI")
        (play.run.path / "checkpoints/step-002000").mkdir()
        await until(pilot, lambda: "--step 2000" in screen_text(play.app))
        await play.press(pilot, *"NG", "ctrl+s")
        (drawn,) = play.sampler.drawn
        assert (drawn.step, drawn.request.prompt) == (2000, "KING")


async def test_ctrl_n_draws_the_same_with_the_next_seed(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "ctrl+n")
        await play.press(pilot, "ctrl+n")
        assert [ask.request.seed for ask in play.sampler.drawn] == [1, 2]


# --------------------------------------------------------------------------- what is kept


async def test_enter_on_a_kept_result_asks_as_it_was_asked(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await pilot.press("down", "down", "9", "down", "5", "down", "right", "right")
        await play.press(pilot, "ctrl+s")
        await pilot.press("up", "6", "up", "3")
        await play.press(pilot, "ctrl+s")
        first, second = (ask.request for ask in play.sampler.drawn)
        assert first != second
        await pilot.press("tab", "down", "enter")
        await until(
            pilot, lambda: play.showing.result and play.showing.result.kept.request == first
        )
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(play.sampler.drawn) == 3)
        assert play.sampler.drawn[-1].request == first
        assert play.sampler.drawn[-1].step == 1500


async def test_a_kept_result_can_be_deleted_when_that_is_meant(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "ctrl+s")
        await play.press(pilot, "ctrl+n")
        assert len(play.kept.results) == 2
        await pilot.press("tab", "d", "n")
        assert len(play.kept.results) == 2
        await pilot.press("d", "y")
        await until(pilot, lambda: len(play.kept.results) == 1)
        assert len(list((play.run.path / "playground").iterdir())) == 1


# --------------------------------------------------------------------------- under way


async def test_a_drawing_under_way_is_shown_and_escape_stops_it(store: Store) -> None:
    play = Play(store, FLOW)
    play.sampler.slow = True
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "on the way" in screen_text(play.app))
        assert "drawing · 25%" in screen_text(play.app)
        await pilot.press("escape")
        await until(pilot, lambda: "stopped" in screen_text(play.app))
        assert play.sampler.asked[-1] == Stop(id=play.sampler.drawn[-1].id)
        assert play.app.screen is play.screen


async def test_a_text_grows_token_by_token(store: Store) -> None:
    play = Play(store, GPT, "text")
    play.sampler.slow = True
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "O, she doth" in screen_text(play.app))
        play.sampler.finish(play.sampler.drawn[-1])
        await until(pilot, lambda: "O, she\n" in "".join(play.texts._texts))


async def test_a_sampler_that_dies_says_so_and_the_next_drawing_is_asked_for(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        play.sampler.die("the sampler died: no memory is left")
        await until(pilot, lambda: "no memory is left" in screen_text(play.app))
        await play.press(pilot, "ctrl+s")
        assert "16 samples" in screen_text(play.app)


# --------------------------------------------------------------------------- pictures


async def test_the_cursor_walks_over_tiles_and_enter_shows_one_alone(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "ctrl+s")
        await pilot.press("tab", "tab", "right")
        await until(pilot, lambda: "1 · Bag·[31m · seed 0 · step 1,500" in screen_text(play.app))
        await pilot.press("down", "enter", "left")
        assert (play.gallery.look.tile, play.gallery.look.alone) == (4, True)
        await pilot.press("enter", "end")
        assert (play.gallery.look.tile, play.gallery.look.alone) == (15, False)


async def test_y_copies_the_path_of_the_tile_and_sounds_are_offered_where_there_are_any(
    store: Store,
) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "ctrl+s")
        await pilot.press("tab", "tab", "right", "y", "o")
        (drawn,) = play.sampler.drawn
        folder = play.run.path / "playground" / drawn.id
        assert play.app.clipboard == str(folder / "001.png")
        assert "o  sound" not in screen_text(play.app)
        (folder / "001.wav").write_bytes(b"")
        await pilot.press("shift+tab", "enter")
        await until(pilot, lambda: play.gallery.drawn.sounds)
        heard: list[str] = []
        play.screen._player.play = lambda path: heard.append(path.name) or ""
        await pilot.press("tab", "right", "o")
        await until(pilot, lambda: heard == ["001.wav"])


async def test_g_lays_the_tiles_out_for_the_next_way_of_drawing_pictures(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "ctrl+s")
        await pilot.press("tab", "tab")
        assert "page 1 of" not in screen_text(play.app)
        while play.app.graphics.mode != "half":
            await pilot.press("g")
            await pilot.pause()
        await until(pilot, lambda: "page 1 of 4" in screen_text(play.app))


async def test_the_way_of_a_flow_is_scrubbed_and_played(store: Store) -> None:
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "ctrl+s")
        await pilot.press("tab", "tab", "w", "left")
        await until(pilot, lambda: "the way · 1 of 5" in screen_text(play.app))
        await pilot.press("right", "t")
        await until(pilot, lambda: "as the network sees it · 2 of 5" in screen_text(play.app))
        await pilot.press("t", "space")
        await until(pilot, lambda: "the way · 5 of 5" in screen_text(play.app))
        await pilot.press("w")
        assert play.gallery.look.moment is None


async def test_a_walk_is_watched_tile_by_tile(store: Store) -> None:
    play = Play(store, VAE)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await pilot.press(*["down"] * 5, "y")
        await play.press(pilot, "ctrl+s")
        assert play.sampler.drawn[-1].request.interpolate
        await pilot.press("tab", "tab", "w", "end")
        await until(pilot, lambda: "walk · 16 of 16" in screen_text(play.app))


async def test_n_draws_the_neighbours_of_the_tile_where_there_is_a_latent(store: Store) -> None:
    play = Play(store, VAE)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await play.press(pilot, "ctrl+s")
        assert play.gallery.drawn.latent
        await pilot.press("tab", "tab", "right", "right")
        await play.press(pilot, "n")
        assert play.sampler.drawn[-1].request == SampleRequest(count=16, around=2)
        assert not play.gallery.drawn.latent
        assert "--around 2" in screen_text(play.app)


# --------------------------------------------------------------------------- texts


async def test_the_tokens_of_a_text_tell_how_likely_they_were(store: Store) -> None:
    play = Play(store, GPT, "text")
    async with play.app.run_test(size=(140, 40)) as pilot:
        await play.open(pilot)
        await pilot.press(*["down"] * 4, *r"KING:\n")
        await play.press(pilot, "ctrl+s")
        assert play.sampler.drawn[-1].request.prompt == "KING:\n"
        assert r"--prompt=$'KING:\n'" in screen_text(play.app)
        await pilot.press("tab", "tab", "w", "right")
        await pilot.pause()
        text = screen_text(play.app)
        assert "text 1 · token 2 · , 30.0 % · 1.7 bits" in text
        assert ", 30.0 % · ␣ 15.0 %" in text
        await pilot.press("end", "down")
        assert play.texts.token is not None
        assert play.texts.token.p == 0.001
        await pilot.press("home")
        await pilot.pause()
        assert "text 2 · token 1 · O 90.0 %" in screen_text(play.app)
        assert "\x1b" not in screen_text(play.app)


# --------------------------------------------------------------------------- as pictures


def picture(play: Play, size: tuple[int, int], snap_compare: Any, *keys: str) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await play.open(pilot)
        await play.press(pilot, "ctrl+s")
        await pilot.press(*keys)
        await until(
            pilot, lambda: not play.gallery.display or play.gallery._scene.picture is not None
        )
        await pilot.pause()

    assert snap_compare(play.app, terminal_size=size, run_before=before)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of day and ids that do not change."""
    monkeypatch.setattr("genai_tui.playground.new_id", lambda: "20261122-101530-aaaa")
    monkeypatch.setattr("time.localtime", lambda t: __import__("time").gmtime(t))


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_pictures(store: Store, size: tuple[int, int], snap_compare: Any) -> None:
    picture(Play(store, VAE), size, snap_compare, "tab", "tab", "right")


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_tokens(store: Store, size: tuple[int, int], snap_compare: Any) -> None:
    play = Play(store, GPT, "text", theme="textual-light")
    picture(play, size, snap_compare, "tab", "tab", "w", "right", "right")


# --------------------------------------------------------------------------- taking away


def exported(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_e_saves_what_is_shown_or_the_tile_alone_or_the_result_in_the_list(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    play = Play(store, FLOW)
    async with play.app.run_test(size=(120, 40)) as pilot:
        await play.open(pilot)
        await pilot.press("E")  # a letter, while the form is typed into
        assert exported(folder) == []
        await play.press(pilot, "ctrl+s")
        first = play.sampler.drawn[-1].id
        await play.press(pilot, "ctrl+n")
        play.gallery.focus()
        await pilot.press("E")
        await until(pilot, lambda: "png" in screen_text(play.app))
        await pilot.press("enter")
        await until(pilot, lambda: len(exported(folder)) == 1)
        await pilot.press("right", "enter", "E")
        await until(pilot, lambda: "sample 2" in screen_text(play.app))
        await pilot.press("enter")
        await until(pilot, lambda: len(exported(folder)) == 2)
        play.kept.focus()
        await pilot.press("down", "E")
        await until(pilot, lambda: "how it came about" in screen_text(play.app))
        assert "esc leaves it" in screen_text(play.app)
        await pilot.press("g", "enter")
        await until(pilot, lambda: len(exported(folder)) == 3)
    second = play.sampler.drawn[-1].id
    assert exported(folder) == sorted(
        [f"shoes-{second}.png", f"shoes-{second}-001.png", f"shoes-{first}-way.gif"]
    )
