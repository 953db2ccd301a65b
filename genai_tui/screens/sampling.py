"""A screen with a warm sampler at hand: what is asked of it, and what it tells."""

import time
from collections.abc import Callable
from typing import Protocol

from textual import on
from textual.message import Message
from textual.screen import Screen

from backends.records import SampleRequest
from genai_tui import playground
from genai_tui.playground import (
    Advanced,
    Ask,
    Draw,
    Drawn,
    Open,
    Opened,
    Refused,
    Stop,
    Told,
    Wrote,
)
from genai_tui.run import Run
from genai_tui.sampler import Sampler
from genai_tui.visible import visible


class Warm(Protocol):
    """A sampling process; see :class:`genai_tui.sampler.Sampler`."""

    def ask(self, ask: Ask) -> None: ...
    def close(self) -> None: ...


STARTING, DRAWING = "the sampler is starting", "drawing"
Begin = Callable[[Run, Callable[[Told], object], Callable[[str], object]], Warm]
"""Makes a sampler of a run, given whom it tells what, and whom that it has died."""


class Sampling(Screen[None]):
    """Asks for one drawing at a time. The sampler ends with the screen.

    Attributes:
        opened: the checkpoint that the sampler has at hand.
        drawing: what is under way.
    """

    class Heard(Message, bubble=False):
        """The sampler has told something; or, as text, has died."""

        def __init__(self, told: Told | str) -> None:
            super().__init__()
            self.told = told

    def __init__(self, run: Run, begin: Begin | None = None) -> None:
        super().__init__()
        self.run = run
        self.opened: int | None = None
        self.drawing: Draw | None = None
        self._sampler = (begin or Sampler)(run, self._hear, self._hear)
        self._awaited, self._since = "", 0.0

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tell_wait)

    def on_unmount(self) -> None:
        self._sampler.close()

    # ------------------------------------------------------------------ what a subclass shows

    def report(self, sentence: str) -> None:
        """Says what the sampler is doing."""
        raise NotImplementedError

    def complain(self, sentence: str) -> None:
        """A notice of something that went wrong."""
        self.notify(visible(sentence), severity="error", markup=False)

    def take_opened(self, told: Opened) -> None:
        """A checkpoint is at hand."""
        raise NotImplementedError

    def take_news(self, told: Advanced | Wrote) -> None:
        """The drawing under way has come further."""
        raise NotImplementedError

    def take_drawn(self, told: Drawn) -> None:
        """The drawing is whole on disk."""
        raise NotImplementedError

    def take_end(self) -> None:
        """Nothing has come of the drawing."""
        raise NotImplementedError

    # ------------------------------------------------------------------ asking

    def open_checkpoint(self, step: int) -> None:
        """Has a checkpoint made ready, so that drawings begin at once."""
        self._await(STARTING)
        self._sampler.ask(Open(step=step))

    def draw(self, step: int, request: SampleRequest, *, watch: bool) -> None:
        """Asks for a drawing; one that is under way makes room for it."""
        self.stop_drawing()
        self.drawing = Draw(id=playground.new_id(), step=step, request=request, watch=watch)
        self._await(STARTING if self.opened is None else DRAWING)
        self._sampler.ask(self.drawing)

    def stop_drawing(self) -> bool:
        """Asks to stop what is under way; False if nothing is."""
        if self.drawing is None:
            return False
        self._await("stopping")
        self._sampler.ask(Stop(id=self.drawing.id))
        return True

    def _await(self, what: str) -> None:
        self._awaited, self._since = what, time.monotonic()
        self.report(f"{what}…")

    def _tell_wait(self) -> None:
        """A start takes an import of PyTorch, and longer beside a training, to which it gives way:
        so long as nothing is heard, the seconds are told."""
        if self._awaited:
            self.report(f"{self._awaited} · {time.monotonic() - self._since:.0f} s")

    # ------------------------------------------------------------------ hearing

    def _hear(self, told: Told | str) -> None:
        self.post_message(self.Heard(told))

    @on(Heard)
    def _take_told(self, event: Heard) -> None:
        told = event.told
        self._awaited = ""
        if isinstance(told, str):
            self.drawing, self.opened = None, None
            self.report(told)
            self.complain(f"{told}; the next drawing starts another")
        elif isinstance(told, Opened):
            self.opened = told.step
            self.take_opened(told)
            if self.drawing is not None:
                self._await(DRAWING)
        elif isinstance(told, Refused):
            self._take_refusal(told)
        elif self.drawing is not None and told.id == self.drawing.id:
            self._take_news(told, self.drawing)

    def _take_news(self, told: Advanced | Wrote | Drawn, drawing: Draw) -> None:
        if not isinstance(told, Drawn):
            self.take_news(told)
            return
        self.opened, self.drawing = drawing.step, None
        self.take_drawn(told)

    def _take_refusal(self, told: Refused) -> None:
        mine = self.drawing is not None and told.id == self.drawing.id
        if mine or not told.id:
            self.report(told.why)
        if told.why != "stopped":
            self.complain(told.why)
        if mine:
            self.drawing = None
            self.take_end()
