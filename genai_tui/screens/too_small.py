"""The one clear sentence for a terminal that is too small."""

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

LEAST_WIDTH, LEAST_HEIGHT = 60, 16


class TooSmall(ModalScreen[None]):
    """Covers everything while the terminal is too small for any screen."""

    def compose(self) -> ComposeResult:
        yield Static("", id="too-small", markup=False)

    def on_mount(self) -> None:
        self._say(*self.size)

    def on_resize(self, event: events.Resize) -> None:
        self._say(event.size.width, event.size.height)

    def _say(self, width: int, height: int) -> None:
        self.query_one(Static).update(
            f"The terminal is {width}x{height}; genai-tui needs {LEAST_WIDTH}x{LEAST_HEIGHT}. "
            "Enlarge it, or ctrl+q to leave."
        )


def is_too_small(width: int, height: int) -> bool:
    return width < LEAST_WIDTH or height < LEAST_HEIGHT
