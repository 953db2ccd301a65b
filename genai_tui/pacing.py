"""Sparing the line to the terminal: few frames, and a count of what is written."""

from typing import Any, TypeVar

from rich.console import RenderableType
from textual import events
from textual.driver import Driver
from textual.reactive import Reactive
from textual.screen import Screen
from textual.timer import Timer

from genai_tui.amounts import count
from genai_tui.images.host import PictureHost
from genai_tui.late_answers import without_late_answers

T = TypeVar("T")

FRAME_SECONDS = 1.0
"""Between two frames, while the line is spared."""
ANSWER_SECONDS = 0.08
"""A key's frame waits so long for all that the key changes."""
METER_SECONDS = 1.0


def counted(driver: type[Driver]) -> type[Driver]:
    """The same driver, which counts."""

    class CountedDriver(driver):
        written = 0

        def write(self, data: str) -> None:
            self.written += len(data) if data.isascii() else len(data.encode("utf-8", "replace"))
            super().write(data)

    return CountedDriver


class PacedApp(PictureHost[T]):
    """An App that can make do with one frame a second. A key is answered at once if none was due.

    Between frames it holds Textual's batch open: what changes meanwhile adds up, and is one frame.
    It stands on private names of Textual: ``App._begin_batch``, ``_end_batch`` and ``_display``.
    """

    traffic: Reactive[str] = Reactive("", repaint=False, init=False)
    """Bytes a second that the terminal got of late, for people; empty while nobody wants it."""

    _frame_seconds = 0.0
    _held = False
    _lost = False
    _metered = 0
    _timer: Timer | None = None

    def get_driver_class(self) -> type[Driver]:
        return counted(without_late_answers(super().get_driver_class()))

    @property
    def bytes_written(self) -> int:
        """All that the terminal was sent so far."""
        return getattr(self._driver, "written", 0)

    def pace(self, frame_seconds: float) -> None:
        """From now on there are so many seconds between frames; 0 is as often as Textual likes."""
        self._frame_seconds = frame_seconds

    def meter(self, wanted: bool) -> None:
        """Whether ``traffic`` is kept up to date."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.traffic = ""
        if wanted:
            self._metered = self.bytes_written
            self._timer = self.set_interval(METER_SECONDS, self._measure)

    def _measure(self) -> None:
        written = self.bytes_written
        self.traffic = f"{count((written - self._metered) / METER_SECONDS)}B/s"
        self._metered = written

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and self._frame_seconds and not self._held:
            self._hold(ANSWER_SECONDS)
        await super().on_event(event)

    def _end_update(self) -> None:
        super()._end_update()
        if self._frame_seconds and not self._held:
            self._hold(self._frame_seconds)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        # a screen that opens or changes its size does not ask for the batch: its frame comes later
        self._lost = self._lost or (self._held and renderable is not None)
        super()._display(screen, renderable)  # pyright: ignore[reportUnknownMemberType]

    def _hold(self, seconds: float) -> None:
        self._held = True
        self._begin_batch()
        self.set_timer(seconds, self._release)

    def _release(self) -> None:
        self._held = False
        self._end_batch()
        if self._lost:
            self._lost = False
            self.screen.refresh()
