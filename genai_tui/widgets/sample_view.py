"""The samples of one step on the screen. Files are read in a thread, one page at a time."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message

from genai_tui.differences import Passage
from genai_tui.images.tonemap import Picture
from genai_tui.images.view import ImageView
from genai_tui.widgets.field import Field, Part, content
from genai_tui.widgets.sample_pages import (
    STAR_COLOUR,
    Look,
    Page,
    Room,
    framed,
    number_at,
    read_page,
)

CHANGED = "bold $text-success"
_READERS = threading.BoundedSemaphore(2)
"""Of all views together: however many there are, no more pages are decoded at once."""


class SampleView(Vertical):
    """Shows what it is told to look at as soon as that is read.

    One page is read at a time: of those wanted meanwhile the last one is next, so that holding a
    key skips what nobody could have seen.
    """

    class Shown(Message):
        """What was wanted is on the screen."""

        def __init__(self, look: Look | None, page: Page) -> None:
            super().__init__()
            self.look = look
            self.page = page

    class Pointed(Message):
        """The user clicks at one of the samples, by its number."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    class Read(Message, bubble=False):
        """A page has been read."""

        def __init__(self, look: Look, room: Room, page: Page) -> None:
            super().__init__()
            self.key = (look, room)
            self.page = page

    NOTHING: ClassVar[str] = "no samples yet"
    REMEMBERED_BYTES: ClassVar[int] = 1 << 25
    """Pages that were seen are kept up to this much: going back and forth reads nothing."""

    def __init__(self, *, id: str | None = None, nothing: str = NOTHING, pictures: int = 1) -> None:
        """``pictures`` that were seen last stay in the terminal, so that none is sent twice."""
        super().__init__(id=id)
        self._views = [ImageView() for _ in range(pictures)]
        self._nothing = nothing
        self._look: Look | None = None
        self._shown: tuple[Look, Room] | None = None
        self._reading: tuple[Look, Room] | None = None
        self._pages: dict[tuple[Look, Room], Page] = {}
        self._cursor: int | None = None
        self._starred: frozenset[int] = frozenset()
        self.page = Page()

    def compose(self) -> ComposeResult:
        yield from self._views
        with VerticalScroll(can_focus=False):
            yield Field(classes="texts")
        yield Field(classes="nothing")

    def on_mount(self) -> None:
        self._show_one("nothing")
        self.query_one(".nothing", Field).show(self._nothing)
        if self._look is not None:
            self._want()
        self.watch(self.app, "graphics", self._want, init=False)  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]

    @property
    def is_settled(self) -> bool:
        """Whether what is wanted is what is seen."""
        look = self._look
        return look is None or (self._shown is not None and self._shown == (look, self._room))

    @property
    def way(self) -> str:
        """How pictures are drawn, and what would make them better; empty where none is seen."""
        view = self._views[0]
        return " · ".join(filter(None, (view.shown_mode, view.graphics.hint))) * view.display

    def demand(self) -> None:
        """Draws what is seen, even where pictures are drawn on demand."""
        self._views[0].demand()

    def look(
        self,
        look: Look | None,
        cursor: int | None = None,
        starred: frozenset[int] = frozenset(),
    ) -> None:
        """From now on this is wanted, with one of the samples framed and those that are starred in
        a frame of another colour; None wants nothing."""
        moved = (cursor, starred) != (self._cursor, self._starred)
        self._look, self._cursor, self._starred = look, cursor, starred
        if not self.is_mounted:
            return
        if self.is_settled and moved and look is not None:
            self._show_page()
        self._want()

    def forget(self) -> None:
        """Reads anew what is wanted next: the files may be others."""
        self._pages.clear()
        self._shown = None

    def scroll_texts(self, pages: int) -> bool:
        """Scrolls texts by so many screens; whether there are any to scroll."""
        texts = self.query_one(VerticalScroll)
        if texts.display:
            texts.scroll_relative(y=pages * max(1, texts.size.height - 1), animate=False)
        return texts.display

    def on_resize(self) -> None:
        self._want()

    def on_click(self, event: events.Click) -> None:
        view = self._views[0]
        at = event.get_content_offset(view)
        pixel = view.pixel_at(*at) if at is not None and view.display else None
        number = None if pixel is None else number_at(self.page, *pixel)
        if number is not None:
            self.post_message(self.Pointed(number))

    @property
    def _room(self) -> Room:
        size = self.content_size
        return Room(size.width, size.height, self._views[0].shown_mode)

    def _want(self) -> None:
        room, look = self._room, self._look
        if look is None:
            self._shown, self.page = None, Page()
            self.query_one(".nothing", Field).show(self._nothing)
            self._show_one("nothing")
            self.post_message(self.Shown(None, self.page))
        elif (look, room) != self._shown and room.width > 0 and room.height > 0:
            known = self._pages.get((look, room))
            if known is not None:
                self._show((look, room), known)
            elif self._reading is None:
                self._reading = (look, room)
                self._read(look, room)

    @work(thread=True, group="samples")
    def _read(self, look: Look, room: Room) -> None:
        with _READERS:
            page = read_page(look, room)
        self.post_message(self.Read(look, room, page))

    def on_sample_view_read(self, event: Read) -> None:
        event.stop()
        self._reading = None
        self._remember(event.key, event.page)
        if event.key == (self._look, self._room):
            self._show(event.key, event.page)
        else:
            self._want()

    def _remember(self, key: tuple[Look, Room], page: Page) -> None:
        self._pages[key] = page
        kept = sum(page.bytes for page in self._pages.values())
        while len(self._pages) > 1 and kept > self.REMEMBERED_BYTES:
            kept -= self._pages.pop(next(iter(self._pages))).bytes

    def _show(self, key: tuple[Look, Room], page: Page) -> None:
        self._shown, self.page = key, page
        self._show_page()
        self.post_message(self.Shown(key[0], page))

    def _show_page(self) -> None:
        page = self.page
        if page.picture is not None:
            self._show_picture(page.picture)
        elif page.texts:
            self._show_texts(page)
        else:
            self.query_one(".nothing", Field).show(page.problem or self._nothing)
            self._show_one("nothing")

    def _show_texts(self, page: Page) -> None:
        parts = _joined(page, self._cursor, self._starred)
        missing = page.count - len(page.texts) if page.of == 1 else 0
        if missing:
            parts.append((f"and {missing} more on disk", "$text-muted"))
        self.query_one(".texts", Field).show(*parts, layout=True)
        self._show_one("texts")
        if self._cursor is not None:
            before = _joined(replace(page, texts=page.texts[: self._cursor - page.first]), None)
            self.call_after_refresh(self._scroll_below, before)

    def _scroll_below(self, before: list[Part]) -> None:
        """Has the text that is pointed at begin at the top."""
        texts = self.query_one(VerticalScroll)
        width = self.query_one(".texts").content_size.width
        lines = content(*before).get_height({}, width) - 1 if before else 0
        texts.scroll_to(y=lines, animate=False)

    def _show_picture(self, picture: Picture) -> None:
        """In the view that has it already, else in the one that was seen the longest ago."""
        for number in self._starred:
            picture = framed(self.page, picture, number, STAR_COLOUR)
        if self._cursor is not None:
            picture = framed(self.page, picture, self._cursor)
        last = self._views[-1]
        view = next((one for one in self._views if one.shows(picture)), last)
        self._views.remove(view)
        self._views.insert(0, view)
        view.show(picture, scale=self.page.scale)
        self._show_one("picture")

    def _show_one(self, what: str) -> None:
        for view in self._views:
            view.display = what == "picture" and view is self._views[0]
        self.query_one(VerticalScroll).display = what == "texts"
        self.query_one(".nothing").display = what == "nothing"


def _joined(page: Page, cursor: int | None, starred: frozenset[int] = frozenset()) -> list[Part]:
    """All texts one below the other, each under its number and what it was drawn for."""
    parts: list[Part] = []
    for index, text in enumerate(page.texts, page.first):
        style = "bold reverse $text-primary" if index == cursor else "bold $text-primary"
        star = " ★" if index in starred else ""
        parts += [(f"{index + 1}{star}", style), (f"{_drawn_for(page, index)}\n", "$text-muted")]
        parts += _marked(text)
    return parts


def _drawn_for(page: Page, index: int) -> str:
    captions = page.told.captions
    text = captions[index] if index < len(captions) else page.told.request.prompt or ""
    return f" {text}" if text else ""


def _marked(text: Sequence[Passage]) -> list[Part]:
    parts: list[Part] = [(p.text, CHANGED) if p.changed else p.text for p in text]
    return [*parts, "\n\n"]
