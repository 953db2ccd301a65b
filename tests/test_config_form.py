"""The form of knobs: what keys do, what is said at once about what was typed, how it looks."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from new_run_host import strike
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.events import Paste
from textual.pilot import Pilot

from backends.knob import Knob, written
from genai_tui.widgets import form_rows
from genai_tui.widgets.config_form import ConfigForm
from genai_tui.widgets.draft import completed
from genai_tui.widgets.form import Form
from genai_tui.widgets.form_fields import Field, LineEdit, Section

KNOBS = (
    Knob(name="latent", kind="int", default=32, low=2, high=512, help="dimensions", unit="dims"),
    Knob(name="lr", kind="float", default=1e-3, low=0, high=10, help="learning rate"),
    Knob(name="loss", kind="choice", default="hinge", choices=["hinge", "logistic", "lsgan"]),
    Knob(name="compile", kind="bool", default=False, help="torch.compile the networks"),
    Knob(name="clip", kind="float", default=None, low=0, optional=True, help="norm; none is off"),
)
MODEL = Section("model:a", "Model", KNOBS)
RUN = Section("run", "Run", (Knob(name="name", kind="text", default="", help="a name"),))


class FormApp(App[None]):
    """A form alone; ``seen`` counts what it says."""

    def __init__(self, *sections: Section) -> None:
        super().__init__()
        self.sections = sections or (RUN, MODEL)
        self.seen: list[str] = []

    def compose(self) -> ComposeResult:
        yield ConfigForm()

    def on_mount(self) -> None:
        self.form.show(self.sections)
        self.form.focus()

    def on_config_form_changed(self) -> None:
        self.seen.append("changed")

    @property
    def form(self) -> ConfigForm:
        return self.query_one(ConfigForm)

    def lines(self) -> list[str]:
        region = self.form.scrollable_content_region
        return [self.form.render_line(y).text.rstrip() for y in range(region.height)]

    def model(self, name: str) -> str:
        return self.form.text("model:a", name)


async def press(pilot: Pilot[None], *keys: str) -> FormApp:
    """Strikes all keys in one go, and waits until they are done."""
    assert isinstance(pilot.app, FormApp)
    strike(pilot.app, *keys)
    await pilot.pause()
    return pilot.app


async def test_typing_replaces_the_value_that_the_cursor_is_on() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "down", "6", "4")
        assert app.model("latent") == "64"
        assert app.form.changes() == {("model:a", "latent"): "64"}
        assert app.form.errors() == {}
        assert any("● latent" in line and "64" in line for line in app.lines())


async def test_keys_that_come_in_one_burst_are_done_in_their_order() -> None:
    async with FormApp().run_test() as pilot:
        keys = (*"a", "down", *"64", "down", *"0.1", "down", "l", *"/clip", "enter", "2")
        app = await press(pilot, *keys)
        changes = [f"{name}={text}" for (_, name), text in app.form.changes().items()]
        assert changes == ["name=a", "latent=64", "lr=0.1", "loss=logistic", "clip=2"]


async def test_a_wrong_value_is_said_beneath_its_field_at_once() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "down", "9", "9", "9")
        sentence = "latent must be a whole number from 2 to 512, not '999'"
        assert app.form.errors() == {("model:a", "latent"): sentence}
        lines = app.lines()
        row = next(y for y, line in enumerate(lines) if line.startswith("✗ latent"))
        assert sentence in lines[row + 1]
        assert app.form.has_class("-invalid")
        await press(pilot, "backspace")
        assert app.form.errors() == {}
        assert not app.form.has_class("-invalid")


async def test_left_and_right_edit_in_place_and_escape_takes_it_back() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "down", "left", "1", "right", "delete")
        assert app.model("latent") == "13"
        await press(pilot, "end", "0", "home", "2")
        assert app.model("latent") == "2130"
        await press(pilot, "escape")
        assert app.model("latent") == "32"
        assert app.form.changes() == {}


async def test_options_are_chosen_with_arrows_space_and_letters() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "down", "down", "down", "right")
        assert app.model("loss") == "logistic"
        await press(pilot, "l")
        assert app.model("loss") == "lsgan"
        await press(pilot, " ")
        assert app.model("loss") == "hinge"
        await press(pilot, "left")
        assert app.model("loss") == "lsgan"
        await press(pilot, *"hi")
        assert app.model("loss") == "hinge"
        await press(pilot, *"ls")
        assert app.model("loss") == "lsgan"
        await press(pilot, *"lo")
        assert app.model("loss") == "logistic"
        await press(pilot, "down", " ")
        assert app.model("compile") == "yes"
        await press(pilot, "n")
        assert app.model("compile") == "no"


@pytest.mark.parametrize("key", ["ctrl+z", "delete"])
async def test_a_changed_value_goes_back_to_its_default(key: str) -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "down", "7", "enter", "up")
        assert app.form.changes()
        await press(pilot, key)
        assert app.model("latent") == "32"
        assert not app.form.changes()


async def test_none_is_a_value_where_it_may_be() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "end", "2", ".", "5")
        assert app.form.changes() == {("model:a", "clip"): "2.5"}
        await press(pilot, "ctrl+u", *"none")
        assert app.form.changes() == {}


async def test_the_filter_shows_the_knobs_that_a_word_is_about() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "down")
        app.form.start_filter()
        await press(pilot, *"torch")
        assert [line for line in app.lines() if "compile" in line]
        assert not any("latent" in line for line in app.lines())
        await press(pilot, "enter", " ")
        assert app.model("compile") == "yes"
        await press(pilot, "escape")
        assert any("latent" in line for line in app.lines())


async def test_enter_leaves_the_filter_on_the_first_that_it_found() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot)
        app.form.start_filter()
        await press(pilot, "l", "enter")
        assert app.form.field is not None
        assert app.form.field.knob.name == "latent"
        assert "/l 5 of 6" in str(app.form.border_subtitle)
        await press(pilot, "enter")
        assert app.form.field.knob.name == "lr"


async def test_a_filter_that_nothing_matches_says_so() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot)
        app.form.start_filter()
        await press(pilot, *"zzz", "enter", "5", " ", "ctrl+z", "left", "down")
        assert "no setting matches" in app.lines()[0]
        assert app.form.changes() == {}


async def test_what_was_typed_is_remembered_by_section() -> None:
    other = Section("model:b", "Model", KNOBS[:1])
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "down", "7")
        app.form.show((RUN, other))
        assert app.form.text("model:b", "latent") == "32"
        app.form.show((RUN, MODEL))
        assert app.model("latent") == "7"


async def test_a_paste_is_one_line_without_controls() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot)
        app.form.post_message(Paste("my\x1b[2J run\nrm -rf /"))
        await press(pilot)
        assert app.form.text("run", "name") == "my·[2J run"


async def test_a_text_takes_the_keys_that_numbers_leave_to_the_screen() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "a", "/", "?")
        assert app.form.text("run", "name") == "a/?"
        await press(pilot, "down", "/", *"clip", "enter")
        assert app.model("latent") == "32"
        assert app.form.field is not None
        assert app.form.field.knob.name == "clip"


async def test_a_slash_on_a_text_that_is_not_being_typed_begins_the_filter() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "/", *"clip", "enter")
        assert app.form.text("run", "name") == ""
        assert app.form.field is not None
        assert app.form.field.knob.name == "clip"


async def test_a_path_begins_with_a_slash() -> None:
    path = Knob(name="path", kind="text", default="")
    yours = Section("path/mine", "Your data", (path,), complete=lambda text: text)
    async with FormApp(yours).run_test() as pilot:
        app = await press(pilot, *"/data")
        assert app.form.text("path/mine", "path") == "/data"


async def test_escape_takes_back_the_filter_first_and_then_what_was_typed() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot, "/", *"latent", "enter", "7")
        assert not any("compile" in line for line in app.lines())
        await press(pilot, "escape")
        assert any("compile" in line for line in app.lines())
        assert app.model("latent") == "7"
        await press(pilot, "escape")
        assert app.model("latent") == "32"


async def test_the_cursor_and_its_error_stay_in_sight() -> None:
    many = tuple(Knob(name=f"k{i}", kind="int", default=i, low=0, high=99) for i in range(60))
    async with FormApp(Section("model:a", "Model", many)).run_test(size=(60, 12)) as pilot:
        app = await press(pilot, "end", "x")
        assert any(line.startswith("✗ k59") for line in app.lines())
        assert any("k59 must be" in line for line in app.lines())
        await press(pilot, "escape", "home")
        assert app.lines()[0].startswith("Model")
        await press(pilot, "pagedown")
        assert app.form.field is not None
        assert app.form.field.knob.name == "k8"


async def test_a_click_moves_and_a_second_click_chooses() -> None:
    async with FormApp().run_test() as pilot:
        app = await press(pilot)
        row = next(y for y, line in enumerate(app.lines()) if "loss" in line)
        await pilot.click(ConfigForm, offset=(20, row + 1))
        assert app.form.field is not None
        assert (app.form.field.knob.name, app.model("loss")) == ("loss", "hinge")
        await pilot.click(ConfigForm, offset=(20, row + 1))
        assert app.model("loss") == "logistic"


async def test_tab_completes_a_path_and_else_moves_on(tmp_path: Path) -> None:
    (tmp_path / "pictures-of-cats").mkdir()
    knob = Knob(name="path", kind="text", default="", help="folder")
    section = Section("path/a", "Your data", (knob,), frozenset({"path"}), completed)
    async with FormApp(section).run_test() as pilot:
        app = await press(pilot)
        assert app.form.errors() == {("path/a", "path"): "path is needed: folder"}
        await press(pilot, *f"{tmp_path}/pic", "tab")
        assert app.form.text("path/a", "path") == f"{tmp_path}/pictures-of-cats/"
        assert app.form.errors() == {}


def test_a_path_is_completed_as_far_as_it_is_plain(tmp_path: Path) -> None:
    for name in ("train-images", "train-labels", ".hidden", "tes\x1bt"):
        (tmp_path / name).touch()
    assert completed(f"{tmp_path}/") == f"{tmp_path}/train-"
    assert completed(f"{tmp_path}/train-i") == f"{tmp_path}/train-images"
    assert completed(f"{tmp_path}/.h") == f"{tmp_path}/.hidden"
    assert completed(f"{tmp_path}/nothing") == f"{tmp_path}/nothing"
    assert completed("/no such folder/x") == "/no such folder/x"


# ---------------------------------------------------------------------------- without a screen


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_default_is_shown_so_that_it_reads_as_itself(value: float) -> None:
    assert float(written(value)) == value


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_every_default_is_right_and_unchanged(knob: Knob) -> None:
    field = Field(MODEL, knob, written(knob.default))
    assert (field.error, field.changed) == ("", False)


def test_what_a_knob_is_fits_a_line_or_two() -> None:
    assert [Field(MODEL, knob, "").about() for knob in KNOBS] == [
        "dimensions · 2 to 512 · default 32 dims",
        "learning rate · 0 to 10 · default 0.001",
        "hinge or logistic or lsgan · default hinge",
        "torch.compile the networks · no or yes · default no",
        "norm; none is off · 0 or more or none · default none",
    ]
    steps = Knob(name="steps", kind="int", default=1, low=1, high=10**9)
    assert Field(MODEL, steps, "1").about() == "1 to 1,000,000,000 · default 1"


def test_another_spelling_of_the_default_is_no_change() -> None:
    assert not Field(MODEL, KNOBS[1], "1e-3").changed
    assert not Field(MODEL, KNOBS[0], " 32.0 ").changed


def test_a_knob_is_hidden_that_has_no_effect_in_one_run_of_a_sweep() -> None:
    momentum = Knob(name="momentum", kind="float", default=0.9, only={"rule": ["sgd"]})
    rule = Knob(name="rule", kind="choice", default="sgd", choices=["sgd", "adam"])
    form = Form()
    form.show([Section("train:a", "Training", (rule, momentum), swept=frozenset({"rule"}))])
    assert [field.knob.name for field in form.shown] == ["rule", "momentum"]
    form.type(",")
    assert form.text(("train:a", "rule")) == "sgd,adam"
    assert [field.knob.name for field in form.shown] == ["rule"]


KEYS = st.one_of(
    st.sampled_from("0123456789.-,e nyl/é世"),
    st.sampled_from(["left", "right", "back", "del", "clear", "reset", "undo", "up", "down", "/"]),
)


@given(st.lists(KEYS, max_size=60))
def test_no_sequence_of_keys_breaks_the_form(keys: list[str]) -> None:
    form = Form()
    form.show((RUN, replace(MODEL, swept=frozenset(knob.name for knob in KNOBS))))
    words = {
        "left": lambda: form.sideways(-1),
        "right": lambda: form.sideways(1),
        "back": form.backspace,
        "del": form.delete,
        "clear": form.clear,
        "reset": form.reset,
        "undo": form.undo,
        "up": lambda: form.move(-1),
        "down": lambda: form.move(1),
        "/": form.start_filter,
    }
    for key in keys:
        words[key]() if key in words else form.type(key)
        assert form.edit is None or 0 <= form.edit.caret <= len(form.edit.text)
        columns = form_rows.Columns.of(form.fields, 40)
        for field in form.shown:
            edit = form.edit if field.key == form.at else None
            row = form_rows.field_row(field, columns, edit, field.key == form.at)
            assert sum(cell_len(text) for text, _ in row) <= 40
    assert set(form.changes()) >= set(form.errors())


@given(st.text(max_size=60), st.integers(0, 60), st.integers(4, 20))
def test_the_caret_is_always_in_sight(text: str, caret: int, room: int) -> None:
    edit = LineEdit(text, min(caret, len(text)))
    knob = Knob(name="n", kind="text", default="")
    columns = form_rows.Columns(1, room, 0)
    spans = form_rows.field_row(Field(RUN, knob, text), columns, edit, True)[2:]
    assert [name for _, name in spans].count("caret") == 1
    assert sum(cell_len(part) for part, _ in spans) <= room
