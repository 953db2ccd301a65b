"""The names of a screen's pages in one line; a click turns to one."""

from collections.abc import Sequence

from textual import events
from textual.message import Message

from genai_tui.widgets.field import Field, Part

GAP = "   "


class PageBar(Field):
    """Shows which page is open."""

    class Chosen(Message):
        """The user wants to see a page."""

        def __init__(self, page: str) -> None:
            super().__init__()
            self.page = page

    def __init__(self, pages: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pages = pages

    def turn(self, page: str, remark: str = "") -> None:
        """Marks a page as open; ``remark`` stands at the end of the line."""
        parts: list[Part] = []
        for name in self._pages:
            parts += [
                (name, "bold $text-primary underline" if name == page else "$text-muted"),
                GAP,
            ]
        self.show(*parts, (remark, "$text-muted"))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        end = 0
        for name in self._pages:
            start, end = end, end + len(name) + len(GAP)
            if offset is not None and start <= offset.x < end - len(GAP):
                self.post_message(self.Chosen(name))
