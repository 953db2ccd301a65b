"""The question for a note: one line of text."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from genai_tui.stars import LONGEST_NOTE
from genai_tui.widgets.dialog import Dialog
from genai_tui.widgets.field import content


class AskNote(ModalScreen[str | None]):
    """Asks for a line of text; an empty one removes the note, escape leaves it."""

    DEFAULT_CSS = "AskNote { align: center middle; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape",
            "dismiss(None)",
            "cancel",
            tooltip="Leave the note as it is",
            id="dialog.cancel",
        ),
    ]

    def __init__(self, question: str, before: str) -> None:
        super().__init__()
        self._question, self._before = question, before

    def compose(self) -> ComposeResult:
        with Dialog():
            yield Static(content(self._question), markup=False)
            yield Input(self._before, max_length=LONGEST_NOTE, placeholder="empty removes it")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
