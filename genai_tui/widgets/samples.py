"""The panel of a run's samples: pictures as tiles large enough to see, or texts to read."""

from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from genai_tui.widgets.field import entitle
from genai_tui.widgets.sample_pages import Look, Place
from genai_tui.widgets.sample_view import SampleView


class Samples(SampleView, can_focus=True):
    """The samples of one step, with its caption in the border."""

    class Opened(Message):
        """The user wants to go through all samples of the run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "time machine", tooltip="All samples of the run", id="samples"),
        Binding(
            "down,j,pagedown",
            "turn(1)",
            "next page",
            show=False,
            tooltip="More samples",
            id="move.next_page",
        ),
        Binding(
            "up,k,pageup",
            "turn(-1)",
            "previous page",
            show=False,
            tooltip="Samples before",
            id="move.page_before",
        ),
    ]
    ALLOW_MAXIMIZE = True

    def __init__(self, *, id: str | None = None, nothing: str = SampleView.NOTHING) -> None:
        super().__init__(id=id, nothing=nothing)
        self._place = Place(Path(), "")
        self._number = 0
        self._caption = ""

    def on_mount(self) -> None:
        entitle(self, "samples")

    @property
    def place(self) -> Place:
        return self._place

    def show(self, run: Path, relative: str, caption: str = "") -> None:
        """Shows the samples in a folder of a run; an empty name shows that there are none."""
        self._number = 0 if run != self._place.run else self._number
        self._place, self._caption = Place(run, relative), caption
        self._look_there()

    def action_turn(self, pages: int) -> None:
        if not self.scroll_texts(pages) and self.page.of > 1:
            self._number = (self._number + pages) % self.page.of
            self._look_there()

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def _look_there(self) -> None:
        self.look(Look(self._place, self._number) if self._place.relative else None)
        self._entitle()

    def on_sample_view_shown(self, event: SampleView.Shown) -> None:
        event.stop()
        self._entitle()

    def _entitle(self) -> None:
        of = self.page.of
        page = f" · page {self._number % of + 1} of {of}" if of > 1 else ""
        entitle(self, f"samples{page}", " · ".join(filter(None, (self._caption, self.way))))
