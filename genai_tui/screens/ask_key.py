"""Waits for the key that something shall have."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from genai_tui.widgets.field import content


class AskKey(ModalScreen[str | None]):
    """Takes the next key that is pressed, whatever it does elsewhere; escape leaves it."""

    KEPT: ClassVar[frozenset[str]] = frozenset({"escape", "ctrl+q", "ctrl+c", "tab", "shift+tab"})
    """Keys that always mean the same."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(content(("Press the key for:\n", "bold"), self._what), markup=False)
            yield Static(content(("escape leaves it as it is", "$text-muted")), markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(None if event.key in self.KEPT else event.key)
