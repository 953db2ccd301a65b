"""Questions that stand in front of a screen: yes or no, a line of text, how many steps."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from genai_tui.widgets.dialog import Dialog
from genai_tui.widgets.field import content


class Confirm(ModalScreen[bool]):
    """Asks before something that cannot be taken back, or costs time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", tooltip="Do it", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "no", tooltip="Leave it", id="confirm.no"),
        Binding("left,right", "app.focus_next", "other answer", show=False, id="confirm.other"),
    ]

    def __init__(self, question: str, yes: str, *, danger: bool = False) -> None:
        super().__init__()
        self._question, self._yes, self._danger = question, yes, danger

    def compose(self) -> ComposeResult:
        variant = "error" if self._danger else "primary"
        with Vertical(classes="dialog"):
            yield Static(content(self._question), markup=False)
            with Horizontal(classes="answers"):
                yield Button(f"{self._yes} (y)", variant, id="yes", compact=True)
                yield Button("Cancel (n)", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no" if self._danger else "#yes").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class AskText(ModalScreen[str | None]):
    """Asks for a line of text; says at once what would be wrong with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", tooltip="Leave it as it is", id="text.cancel"),
    ]

    def __init__(self, question: str, text: str, problem: Callable[[str], str]) -> None:
        super().__init__()
        self._question, self._text, self._problem = question, text, problem

    def compose(self) -> ComposeResult:
        with Dialog():
            yield Static(content(self._question), markup=False)
            yield Input(self._text)
            yield Static("", id="wrong", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#wrong", Static).update(content(self._problem(event.value.strip())))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self._problem(event.value.strip()):
            self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        self.dismiss(None)


class AskSteps(ModalScreen[int | None]):
    """Asks up to which step a finished run shall train on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", tooltip="Leave it", id="steps.cancel"),
    ]

    def __init__(self, question: str, done: int, proposed: int) -> None:
        super().__init__()
        self._question, self._done, self._proposed = question, done, proposed

    def compose(self) -> ComposeResult:
        with Dialog():
            yield Static(content(self._question), markup=False)
            yield Input(str(self._proposed), type="integer", id="steps")
            yield Static("", id="wrong", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#wrong", Static).update(self._wrong(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self._wrong(event.value):
            self.dismiss(int(event.value))

    def action_cancel(self) -> None:
        self.dismiss(None)

    def _wrong(self, text: str) -> str:
        if not text.lstrip("+").isdecimal():
            return "a whole number of steps"
        return "" if int(text) > self._done else f"more than the {self._done:,} that are done"
