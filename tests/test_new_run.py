"""The New run screen as a user has it: keys in, the form, the summary and what was asked out."""

import threading
import time
from typing import Any

import msgspec
import pytest
from new_run_host import (
    BROKEN,
    CATALOGUE,
    GPT,
    HOSTILE,
    VAE,
    FakeHouse,
    Host,
    counted,
    ready,
    strike,
    until,
)
from textual.pilot import Pilot
from textual.widgets import Static

from backends.knob import Knob
from backends.records import Catalogue, DatasetInfo, Plan, PlanRequest
from genai_tui import launch, services
from genai_tui.screens.dialogs import Confirm
from genai_tui.screens.new_run import NewRunScreen
from genai_tui.store import Run, Store
from genai_tui.widgets import draft
from genai_tui.widgets.plan_summary import PlanSummary

TO_FORM = ("tab", "tab")
TO_LATENT = (*TO_FORM, "down", "down", "down")
SIZES = [(80, 24), (120, 40), (200, 60)]


async def press(pilot: Pilot[None], *keys: str) -> Host:
    """Presses keys and waits for the plan of what is in the form then."""
    host = await ready(pilot)
    for key in keys:
        if host.focused is host.form and "tab" not in key:
            strike(host, key)
        else:
            await pilot.press(key)
    await pilot.pause()
    return await ready(pilot)


# ---------------------------------------------------------------------------- picking


async def test_the_screen_opens_on_the_first_generator_and_its_own_data() -> None:
    async with Host().run_test() as pilot:
        host = await ready(pilot)
        assert host.models.picked is not None
        assert (host.models.picked.name, host.focused) == ("gan/dcgan", host.models)
        assert "genai-tui train gan/dcgan --data fashion-mini" in host.summary
        assert "320,000 parameters" in host.summary
        assert "1,800 training items, 200 held out" in host.summary
        assert "3,000 steps of 64 = 107 epochs" in host.summary


async def test_moving_the_highlight_shows_that_generators_knobs_and_data() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, "down", "down")
        assert host.house.planner.asked[-1] == PlanRequest(
            model=GPT.name, dataset="shakespeare-mini"
        )
        assert host.form.text(f"model:{GPT.name}", "layers") == "4"
        assert [entry.name for entry in host.datasets._entries] == ["shakespeare-mini", "text-file"]


async def test_the_users_choice_of_data_is_kept_for_the_modality() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, "tab", "down", "shift+tab", "down")
        assert "train vae/conv --data fashion-mnist" in host.summary
        await press(pilot, "down", "up")
        assert "train vae/conv --data fashion-mnist" in host.summary


async def test_what_was_typed_comes_back_with_its_generator() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, *TO_LATENT, "6", "4", "shift+tab", "shift+tab", "down")
        assert "--set" not in host.summary
        await press(pilot, "up")
        assert "--set latent=64" in host.summary


async def test_knobs_of_labels_go_where_the_data_turns_out_to_have_none() -> None:
    classes = {"fashion-mini": 10, "fashion-mnist": 0}

    def answer(request: PlanRequest) -> Plan:
        return msgspec.structs.replace(counted(request), classes=classes[request.dataset])

    house = FakeHouse()
    house.planner.answer = answer
    async with Host(house).run_test() as pilot:
        host = await press(pilot, "down")
        names = [field.knob.name for field in host.form.fields]
        assert host.models.picked is not None
        assert host.models.picked.name == "vae/conv"
        assert "conditional" in names
        await press(pilot, "tab", "down")
        assert "conditional" not in [field.knob.name for field in host.form.fields]
        await press(pilot, "up")
        assert [field.knob.name for field in host.form.fields] == names


async def test_a_broken_entry_is_listed_with_its_error_and_cannot_be_picked() -> None:
    async with Host().run_test(size=(120, 40)) as pilot:
        host = await press(pilot, *["down"] * 10)
        assert host.models.picked is not None
        assert host.models.picked.name != BROKEN.name
        listed = "\n".join(str(option.prompt) for option in host.models.options)
        assert "✗ mine" in listed
        assert "einops" in listed


async def test_where_everything_is_broken_nothing_can_be_started() -> None:
    house = FakeHouse(msgspec.structs.replace(CATALOGUE, models=[BROKEN]))
    async with Host(house).run_test() as pilot:
        host = pilot.app
        assert isinstance(host, Host)
        await until(pilot, lambda: "no generator can be used" in host.summary)
        await pilot.press("ctrl+s", "tab", "tab", "5", "enter")
        await until(pilot, lambda: host.notices)
        assert not house.created


# ---------------------------------------------------------------------------- data of one's own


async def test_data_of_ones_own_asks_for_a_path_before_anything_else() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, "tab", "down", "down", "enter")
        assert host.focused is host.form
        assert "path is needed" in host.summary
        await press(pilot, *"/data/cats and dogs")
        assert "--data '/data/cats and dogs'" in host.summary
        assert host.house.planner.asked[-1].dataset == "/data/cats and dogs"


def test_a_relative_path_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    folder = DatasetInfo(name="image-folder", needs_path=True)
    for typed, meant in (("cats", f"{tmp_path}/cats"), ("~/cats", "/home/me/cats")):
        values = {draft.path_key(folder): typed}
        assert draft.draft(VAE, folder, values, values).dataset == meant


# ---------------------------------------------------------------------------- settings


async def test_changed_settings_are_in_the_command_and_in_the_question() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, *TO_FORM, *"my run", "down", "right", "down", *"7", "down", *"64")
        assert "--name 'my run' --seed 7 --device cpu --set latent=64" in host.summary
        assert host.house.planner.asked[-1] == PlanRequest(
            model="gan/dcgan",
            dataset="fashion-mini",
            settings={"latent": "64"},
            device="cpu",
            seed=7,
        )
        assert "640,000 parameters" in host.summary


async def test_a_wrong_value_is_no_question_and_is_gone_to_on_start() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, *TO_LATENT, *"9999", "end", "shift+tab")
        asked = len(host.house.planner.asked)
        await press(pilot, "ctrl+s")
        sentence = "latent must be a whole number from 2 to 512, not '9999'"
        assert sentence in host.summary
        assert host.notices == [sentence]
        assert host.focused is host.form
        assert host.form.field is not None
        assert host.form.field.knob.name == "latent"
        assert len(host.house.planner.asked) == asked
        assert not host.house.created


async def test_the_filter_key_leads_into_the_form() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, "slash", *"precision", "enter", "b")
        assert "--set precision=bfloat16" in host.summary


def test_a_name_that_two_sections_have_is_asked_for_once() -> None:
    twice = Knob(name="latent", kind="int", default=1)
    data = DatasetInfo(name="d", knobs=[twice, Knob(name="size", kind="int", default=1)])
    made = draft.sections(VAE, data, [])
    names = [knob.name for section in made if ":" in section.id for knob in section.knobs]
    assert names.count("latent") == 1
    assert names[-1] == "size"
    assert [section.title for section in made] == ["Run", "Model", "Training", "Data"]


# ---------------------------------------------------------------------------- the planner


async def test_the_planners_sentence_stands_where_the_plan_would() -> None:
    house = FakeHouse()
    house.planner.answer = lambda _: Plan(error="batch_size is larger than the data")
    async with Host(house).run_test() as pilot:
        host = await ready(pilot)
        assert "✗ batch_size is larger than the data" in host.summary


async def test_a_planner_that_dies_is_a_sentence() -> None:
    house = FakeHouse()

    def die(_: PlanRequest) -> Plan:
        raise RuntimeError("the planning worker died: killed")

    house.planner.answer = die
    async with Host(house).run_test() as pilot:
        assert "the planning worker died: killed" in (await ready(pilot)).summary


async def test_notices_of_the_data_are_shown() -> None:
    house = FakeHouse()
    house.planner.answer = lambda _: Plan(items=5, notices=["3 files skipped"])
    async with Host(house).run_test(size=(120, 40)) as pilot:
        assert "! 3 files skipped" in (await ready(pilot)).summary


async def test_one_question_at_a_time_and_the_newest_next() -> None:
    house, gate = FakeHouse(), threading.Event()

    def slow(request: PlanRequest) -> Plan:
        assert gate.wait(10)
        return counted(request)

    async with Host(house).run_test() as pilot:
        host = await ready(pilot)
        house.planner.answer = slow
        await pilot.press(*TO_LATENT, "5")
        await until(pilot, lambda: len(house.planner.asked) == 2)
        await pilot.press("0", "0")
        await until(pilot, lambda: "latent=500" in host.summary)
        gate.set()
        await ready(pilot)
        asked = [request.settings.get("latent") for request in house.planner.asked]
        assert asked == [None, "5", "500"]


async def test_the_planner_is_closed_with_the_screen() -> None:
    house = FakeHouse()
    async with Host(house).run_test() as pilot:
        await ready(pilot)
        pilot.app.pop_screen()
        await until(pilot, lambda: house.planner.closed)


# ---------------------------------------------------------------------------- starting


async def test_ctrl_s_creates_and_starts_the_draft_and_says_so() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, *TO_LATENT, "6", "4", "ctrl+s")
        await until(pilot, lambda: host.opened)
        assert host.house.created == [
            {
                "model": "gan/dcgan",
                "dataset": "fashion-mini",
                "settings": {"latent": "64"},
                "name": "",
                "seed": 0,
                "device": "auto",
                "begin": "",
            }
        ]
        assert host.house.started == host.opened == ["20260101-000000-vae-conv-abcd"]


async def test_ctrl_e_lets_the_draft_wait_for_its_turn() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, "ctrl+e")
        await until(pilot, lambda: host.opened)
        assert (host.house.started, host.house.queued) == ([], host.opened)


async def test_an_impatient_user_starts_one_run() -> None:
    house = FakeHouse()
    async with Host(house).run_test() as pilot:
        host = await press(pilot, "ctrl+s", "ctrl+s", "ctrl+s")
        await until(pilot, lambda: host.opened)
        assert len(house.created) == 1


@pytest.mark.parametrize("which", ["refuse_create", "refuse_start"])
async def test_a_refusal_is_a_notice_and_the_form_stays(which: str) -> None:
    house = FakeHouse()
    setattr(house, which, f"the store cannot be written {HOSTILE}")
    async with Host(house).run_test() as pilot:
        host = await press(pilot, *TO_LATENT, "6", "4", "ctrl+s")
        await until(pilot, lambda: host.notices)
        assert "\x1b" not in host.notices[0]
        assert isinstance(host.screen, NewRunScreen)
        assert "--set latent=64" in host.summary
        setattr(house, which, "")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: host.opened)


def test_the_real_services_are_those_of_launch(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(launch, "create", lambda *_, **wanted: asked.update(wanted))
    monkeypatch.setattr(launch, "start", lambda run, **wanted: asked.update(run=run, **wanted))
    house = services.real()
    planner = house.planner()
    wanted = {"model": "m", "dataset": "d", "settings": {}, "name": "", "seed": 0, "device": "cpu"}
    house.create(store, planner=planner, begin="", **wanted)
    assert asked == {**wanted, "planner": planner, "begin": None}
    assert house.catalogue == launch.catalogue
    run = Run(store.root / "one")
    house.start(run, queue=True)
    assert (asked["run"], asked["queue"]) == (run, True)


async def test_escape_goes_back_and_starts_nothing() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, *TO_LATENT, "6", "escape", "escape")
        await until(pilot, lambda: host.cancelled)
        assert not host.house.created


async def test_escape_asks_before_what_was_typed_is_lost() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, *TO_LATENT, *"64", "down")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(host.screen, Confirm))
        assert "1 setting is changed" in str(host.screen.query_one(Static).content)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(host.screen, NewRunScreen))
        assert host.form.text("model:gan/dcgan", "latent") == "64"
        assert not host.cancelled
        await pilot.press("escape", "y")
        await until(pilot, lambda: host.cancelled)
        assert not host.house.created


async def test_the_command_goes_to_the_clipboard() -> None:
    async with Host().run_test() as pilot:
        host = await press(pilot, "ctrl+y")
        assert host.clipboard == "genai-tui train gan/dcgan --data fashion-mini"


# ---------------------------------------------------------------------------- the catalogue


async def test_while_the_catalogue_is_read_the_screen_says_so_and_takes_keys() -> None:
    house = FakeHouse()
    house.gate.clear()
    async with Host(house).run_test() as pilot:
        host = pilot.app
        assert isinstance(host, Host)
        await until(pilot, lambda: "reading the catalogue…" in host.summary)
        await pilot.press("ctrl+s", "slash", "x", "tab", "down", "enter", "tab", "5", "ctrl+z")
        house.gate.set()
        await ready(pilot)
        assert not house.created


async def test_a_catalogue_that_cannot_be_read_can_be_read_again() -> None:
    house = FakeHouse()
    house.refuse_catalogue = "PyTorch cannot be imported"
    async with Host(house).run_test() as pilot:
        host = pilot.app
        assert isinstance(host, Host)
        await until(
            pilot, lambda: "PyTorch cannot be imported (ctrl+r tries again)" in host.summary
        )
        house.refuse_catalogue = ""
        await pilot.press("ctrl+r")
        await ready(pilot)


async def test_what_strangers_wrote_is_shown_and_never_obeyed() -> None:
    evil = msgspec.structs.replace(
        *(VAE,),
        name=f"vae/{HOSTILE}",
        family=HOSTILE,
        caption=HOSTILE,
        knobs=[Knob(name=HOSTILE, kind="choice", default=HOSTILE, choices=[HOSTILE], help=HOSTILE)],
        default_dataset="",
    )
    data = DatasetInfo(name=HOSTILE, caption=HOSTILE)
    house = FakeHouse(Catalogue(models=[evil], datasets=[data]))
    house.planner.answer = lambda _: Plan(items=1, shape=HOSTILE, notices=[HOSTILE])
    for size in SIZES:
        async with Host(house).run_test(size=size) as pilot:
            host = await press(pilot, *TO_FORM, *["down"] * 3)
            assert "\x1b" not in host.export_screenshot()
            assert "\x1b" not in host.summary


async def test_switching_the_generator_is_quick() -> None:
    async with Host().run_test(size=(200, 60)) as pilot:
        host = await ready(pilot)
        began = time.process_time()
        for key in ("down", "up") * 4:
            await pilot.press(key)
        assert (time.process_time() - began) / 8 < 0.15
        await ready(pilot)
        assert host.form.text("model:gan/dcgan", "latent") == "100"


# ---------------------------------------------------------------------------- how it looks


async def _changed(pilot: Pilot[None]) -> None:
    await press(pilot, "down", *TO_FORM, *"first try", *["down"] * 3, *"64", "down")


async def _wrong(pilot: Pilot[None]) -> None:
    await press(pilot, "tab", "down", "down", "enter", *"/data/cats", *["down"] * 4, *"999")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("keys", [_changed, _wrong], ids=["changed", "wrong"])
def test_the_picture(snap_compare: Any, size: tuple[int, int], keys: Any) -> None:
    assert snap_compare(Host(), terminal_size=size, run_before=keys)


@pytest.mark.parametrize("size", [*SIZES, (112, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_form_and_summary_fit_at_every_size(size: tuple[int, int]) -> None:
    async with Host().run_test(size=size) as pilot:
        host = await ready(pilot)
        await until(pilot, lambda: host.form.scrollable_content_region.height >= 10)
        assert host.form.scrollable_content_region.width >= 36
        summary = host.screen.query_one(PlanSummary)
        assert summary.max_scroll_y == 0
