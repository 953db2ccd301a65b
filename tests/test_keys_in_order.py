"""Keys that come in one burst, as a terminal hands them over, have their effect one by one."""

from typing import ClassVar

import pytest
from studio import until
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from genai_tui import keys_in_order
from genai_tui.keys_in_order import KeysInOrder


class Question(ModalScreen[str]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "no")]

    def compose(self) -> ComposeResult:
        yield Input()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class Canvas(Widget, can_focus=True):
    """Takes no key itself."""


class Fragile(Widget, can_focus=True):
    """Is gone with its first key."""

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.remove()


class Host(KeysInOrder[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search"),
        Binding("w", "ask", "ask"),
        Binding("x", "stop", "stop"),
    ]

    def __init__(self, focused: type[Widget] = Canvas) -> None:
        super().__init__()
        self._focused = focused
        self.stopped = 0
        self.answers: list[str | None] = []

    def compose(self) -> ComposeResult:
        yield self._focused()
        yield Canvas()

    async def action_search(self) -> None:
        line = Input()
        await self.mount(line)
        line.focus()

    def action_ask(self) -> None:
        self.push_screen(Question(), self.answers.append)

    def action_stop(self) -> None:
        self.stopped += 1


def strike(app: KeysInOrder[None], keys: str) -> None:
    names = {"/": "slash", "\r": "enter", "\x1b": "escape"}
    for key in keys:
        app.post_message(events.Key(names.get(key, key), key if key.isprintable() else None))


async def test_what_is_typed_behind_the_key_of_a_filter_is_in_the_filter() -> None:
    app = Host()
    async with app.run_test() as pilot:
        strike(app, "/axxb")
        await until(pilot, lambda: app.query(Input) and app.query_one(Input).value == "axxb")
        assert app.stopped == 0


async def test_what_is_typed_behind_the_key_of_a_dialog_is_for_the_dialog() -> None:
    app = Host()
    async with app.run_test() as pilot:
        strike(app, "xwxx\rx")
        await until(pilot, lambda: app.stopped == 2)
        assert app.answers == ["xx"]
        strike(app, "w\x1bx")
        await until(pilot, lambda: app.stopped == 3)
        assert app.answers == ["xx", None]


async def test_a_paste_keeps_its_place_among_the_keys() -> None:
    app = Host()
    async with app.run_test() as pilot:
        strike(app, "/a")
        app.post_message(events.Paste("-pasted-"))
        strike(app, "b")
        await until(pilot, lambda: app.query(Input) and app.query_one(Input).value == "a-pasted-b")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_in_order, "PATIENCE_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
async def test_a_widget_that_goes_with_its_key_holds_up_no_other() -> None:
    app = Host(Fragile)
    async with app.run_test() as pilot:
        app.query_one(Fragile).focus()
        await pilot.pause()
        strike(app, "axxx")
        await until(pilot, lambda: app.stopped == 3)
