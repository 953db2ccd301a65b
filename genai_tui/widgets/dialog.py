"""The frame of a question that stands in front of a screen; it names the keys that answer it."""

from textual.containers import Vertical

KEYS = "⏎ takes it · esc leaves it"
KEYS_OF_OPTIONS = "↑ ↓ ⏎ choose · esc leaves it"


class Dialog(Vertical):
    """What is asked, and below it what keys there are."""

    def __init__(self, keys: str = KEYS) -> None:
        super().__init__(classes="dialog")
        self.border_subtitle = keys
