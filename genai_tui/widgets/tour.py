"""Five hints for who opens the studio for the first time: one line, in nobody's way."""

import contextlib
from typing import cast

from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget

from genai_tui.settings import state_dir

DONE_BY = (
    {"NewRunScreen"},
    {"RunScreen"},
    {"GalleryScreen", "GpusScreen", "SettingsScreen"},
    {"HelpScreen", "CommandPalette"},
)
"""The screens that open when somebody does what a hint is about; it goes then."""
HINTS = (
    "n picks a generator and trains it; it trains on when you leave, and waits for you here",
    "enter opens a run: its curves, samples, GPUs and console; space pauses it, s draws samples",
    "1 runs, 2 gallery, 3 GPUs, 4 settings, from anywhere; q or escape goes back",
    "? lists every key of a screen, ctrl+p finds a command by its name, g draws pictures otherwise",
    "a shell can do all this, too: genai-tui --help; and --host opens another machine's studio",
)
_SEEN = "tour-seen"


class Tour(Widget):
    """Shows one hint after the other."""

    DEFAULT_CSS = """
    Tour {
        dock: bottom;
        height: auto;
        max-height: 3;
        margin: 0 0 1 0;
        padding: 0 1;
        background: $primary-muted;
        color: $foreground;
    }
    """
    ALLOW_SELECT = False

    number: reactive[int] = reactive(0, layout=True)

    class Done(Message):
        """The user does what the hint is about."""

        def __init__(self, tour: "Tour") -> None:
            super().__init__()
            self.tour = tour

    def on_mount(self) -> None:
        changed = cast(Signal[Screen[object]], self.app.screen_change_signal)  # pyright: ignore[reportUnknownMemberType]
        changed.subscribe(self, self._screen_changed)

    def _screen_changed(self, screen: Screen[object]) -> None:
        done_by = DONE_BY[self.number] if self.number < len(DONE_BY) else set[str]()
        if type(screen).__name__ in done_by:
            self.post_message(self.Done(self))

    def render(self) -> Content:
        return Content.assemble(
            (f"{self.number + 1} of {len(HINTS)}  ", "bold"),
            HINTS[self.number],
            ("   . ", "bold"),
            "next" if self.number < len(HINTS) - 1 else "done",
            ("   , ", "bold"),
            "no more hints",
        )


def was_seen() -> bool:
    """Whether the hints were seen, or skipped, by whoever has this state folder."""
    return (state_dir() / _SEEN).exists()


def remember() -> None:
    """The hints are not shown again; if that cannot be kept, they are."""
    with contextlib.suppress(OSError):
        state_dir().mkdir(parents=True, exist_ok=True)
        (state_dir() / _SEEN).touch()
