"""Several values in the New run form: what a comma does, what is said of it, what is started."""

import shlex
from typing import Any

import pytest
from cli_tools import inside
from new_run_host import FakeHouse, Host, ready, strike, until
from studio import screen_text, studio
from studio import until as studio_until
from textual.pilot import Pilot

from backends.records import Plan, PlanRequest, RunSpec
from genai_tui import launch
from genai_tui.screens.new_run import NewRunScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.store import Run, Store
from genai_tui.widgets.run_table import RunTable

TO_SEED = ("tab", "tab", "down", "down")


class StoringHouse(FakeHouse):
    """Makes folders of runs, and refuses what it is told to."""

    refuse_after = 1000
    refuse_setting = ""

    def _create(self, store: Store, **asked: Any) -> Run:
        if self.refuse_setting in asked["settings"].values():
            raise RuntimeError("latent must be even")
        self.created.append(asked)
        identity = store.new_id(asked["model"])
        return store.create(
            RunSpec(id=identity, model=asked["model"], dataset=asked["dataset"], name=asked["name"])
        )

    def _start(self, run: Run, *, queue: bool) -> None:
        if len(self.queued) == self.refuse_after:
            raise RuntimeError("the keeper cannot be started")
        super()._start(run, queue=queue)


class SweptHost(Host):
    """Keeps what was made, too."""

    def __init__(self) -> None:
        super().__init__(StoringHouse())
        self.swept: list[NewRunScreen.Swept] = []

    def on_new_run_screen_swept(self, message: NewRunScreen.Swept) -> None:
        self.swept.append(message)


async def press(pilot: Pilot[None], *keys: str) -> SweptHost:
    """Presses keys and waits for the plan of what is in the form then."""
    host = await ready(pilot)
    assert isinstance(host, SweptHost)
    for key in keys:
        if host.focused is host.form and "tab" not in key:
            strike(host, key)
        else:
            await pilot.press(key)
    await pilot.pause()
    await ready(pilot)
    return host


async def filled(pilot: Pilot[None]) -> SweptHost:
    """Two seeds, two latents, and an optimizer more."""
    keys = (*TO_SEED, *"7,8", "down", *"64,128", *"/the optimizer", "enter", ",")
    return await press(pilot, *keys)


def asked(host: SweptHost) -> list[tuple[str, int, str, str]]:
    return [
        (one["name"], one["seed"], one["settings"]["latent"], one["settings"]["optimizer"])
        for one in host.house.created
    ]


async def test_values_with_commas_between_are_a_sweep_of_every_combination(store: Store) -> None:
    async with SweptHost().run_test(size=(120, 40)) as pilot:
        host = await filled(pilot)
        assert "a sweep of 8 runs, which queue; the first:" in host.summary
        assert "sweep of 8 runs" in str(host.form.border_subtitle)
        first = PlanRequest(
            model="gan/dcgan",
            dataset="fashion-mini",
            settings={"latent": "64", "optimizer": "adamw"},
            seed=7,
        )
        assert host.house.planner.asked[-1] == first
        assert "640,000 parameters" in host.summary
        await pilot.press("ctrl+s")
        await until(pilot, lambda: host.swept)
        made = asked(host)
        assert made[:3] == [
            ("dcgan,seed=7,latent=64,optimizer=adamw", 7, "64", "adamw"),
            ("dcgan,seed=7,latent=64,optimizer=adam", 7, "64", "adam"),
            ("dcgan,seed=7,latent=128,optimizer=adamw", 7, "128", "adamw"),
        ]
        assert len(set(made)) == 8
        assert host.house.started == []
        assert host.house.queued == host.swept[0].ids
        assert {tag for run in store.summaries() for tag in run.tags} == {host.swept[0].tag}


class Agreeable:
    """A planner of the command line that agrees with everything."""

    def plan(self, request: PlanRequest) -> Plan:
        return Plan(dataset=request.dataset, train_config={"steps": 5})

    def close(self) -> None: ...


async def test_the_copied_command_makes_the_same_runs(
    store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with SweptHost().run_test() as pilot:
        host = await press(pilot, *TO_SEED, *"7, 8e0", "down", *"64,128", "ctrl+y", "ctrl+s")
        await until(pilot, lambda: host.swept)
        command = host.clipboard
        form = {(one["name"], one["seed"], one["settings"]["latent"]) for one in host.house.created}
    assert command.endswith("--sweep seed=7,8 --sweep latent=64,128")
    spoken: list[tuple[str, int, str]] = []

    def create(_: Store, **wanted: Any) -> Run:
        spoken.append((wanted["name"], wanted["seed"], wanted["settings"]["latent"]))
        return store.create(RunSpec(id=store.new_id("m"), model="m", dataset="d", name=""))

    monkeypatch.setattr(launch, "Planner", Agreeable)
    monkeypatch.setattr(launch, "create", create)
    monkeypatch.setattr(launch, "start", lambda *_, **__: None)
    assert inside(store, capsys)(*shlex.split(command)[1:], "--json").status == 0
    assert set(spoken) == form
    assert len(spoken) == 4


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("64,9999", "latent must be a whole number from 2 to 512, not '9999'"),
        ("64,", "latent lacks a value beside a comma"),
        (",64", "latent lacks a value beside a comma"),
        ("64,128,6.4e1", "latent has the value 6.4e1 twice"),
        (",".join(map(str, range(2, 260))), "that is a sweep of 258 runs; at most 256"),
    ],
)
async def test_what_is_no_sweep_is_a_sentence_beneath_the_field(typed: str, sentence: str) -> None:
    async with SweptHost().run_test(size=(200, 60)) as pilot:
        host = await press(pilot, *TO_SEED, "down", *typed)
        [(key, error)] = host.form.errors().items()
        assert key == ("model:gan/dcgan", "latent")
        assert error.startswith(sentence)
        assert f"└ {sentence}" in screen_text(host)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: host.notices)
        assert not host.house.created


async def test_too_many_runs_are_said_by_the_last_field_alone() -> None:
    many = ",".join(map(str, range(20)))
    async with SweptHost().run_test() as pilot:
        host = await press(pilot, *TO_SEED, *many, "down", *",".join(map(str, range(2, 22))))
        assert [name for _, name in host.form.errors()] == ["latent"]
        await press(pilot, "up", "ctrl+z")
        assert not host.form.errors()
        assert "a sweep of 20 runs" in host.summary


async def test_a_comma_in_a_text_is_part_of_it() -> None:
    async with SweptHost().run_test() as pilot:
        host = await press(pilot, "tab", "tab", *"one,two")
        assert "--name one,two" in host.summary
        assert "sweep" not in host.summary


async def test_options_are_added_chosen_and_taken_away() -> None:
    async with SweptHost().run_test() as pilot:
        host = await press(pilot, "slash", *"the optimizer", "enter", ",")
        assert "--sweep optimizer=adamw,adam" in host.summary
        await press(pilot, ",", "right", "a", " ")  # there is no third one
        assert "--sweep optimizer=adamw,adam" in host.summary
        await press(pilot, "backspace", "backspace", "right")
        assert "--set optimizer=adam" in host.summary
        assert "sweep" not in host.summary


async def test_one_run_that_cannot_be_leaves_none_and_the_form_stays(store: Store) -> None:
    async with SweptHost().run_test() as pilot:
        host = await press(pilot, *TO_SEED, "down", *"64,65")
        assert isinstance(host.house, StoringHouse)
        host.house.refuse_setting = "65"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: host.notices)
        assert host.notices == ["latent must be even"]
        assert store.runs() == []
        host.house.refuse_setting = ""
        await pilot.press("ctrl+e")
        await until(pilot, lambda: host.swept)
        assert len(store.runs()) == 2


async def test_what_cannot_be_queued_is_gone_and_is_said(store: Store) -> None:
    async with SweptHost().run_test() as pilot:
        host = await press(pilot, *TO_SEED, *"1,2,3")
        assert isinstance(host.house, StoringHouse)
        host.house.refuse_after = 1
        await pilot.press("ctrl+s")
        await until(pilot, lambda: host.notices)
        assert host.notices == ["only 1 of 3 runs are queued: the keeper cannot be started"]
        assert [run.id for run in store.runs()] == host.house.queued


async def test_the_studio_lists_the_runs_of_a_sweep_and_says_how_to_find_them(store: Store) -> None:
    ids = [f"20260101-00000{n}-vae-conv-abcd" for n in range(2)]
    for one in ids:
        store.create(RunSpec(id=one, model="vae/conv", dataset="d", name=one[-8:]))
    app, feed = studio(store)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        feed.tell_runs()
        await pilot.press("n")
        await studio_until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        app.screen.post_message(NewRunScreen.Swept("sweep-k3f9", ids))
        await studio_until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await studio_until(pilot, lambda: "2 runs are queued" in screen_text(app))
        assert "tag:sweep-k3f9" in screen_text(app)
        chosen = app.screen.query_one(RunTable).chosen
        assert chosen is not None
        assert chosen.id == ids[0]


@pytest.mark.parametrize(
    ("size", "theme"), [((80, 24), "textual-light"), ((120, 40), "textual-dark")]
)
def test_the_picture_of_a_sweep(snap_compare: Any, size: tuple[int, int], theme: str) -> None:
    host = SweptHost()
    host.theme = theme

    async def keys(pilot: Pilot[None]) -> None:
        await filled(pilot)

    assert snap_compare(host, terminal_size=size, run_before=keys)
