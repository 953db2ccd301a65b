"""What a run drew: pictures as tiles large enough to see, on pages; or texts to read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message

from genai_tui import sample_files
from genai_tui.images.detect import Mode
from genai_tui.images.grid import GridLayout, compose, layout
from genai_tui.images.tonemap import Picture, PictureError, load
from genai_tui.images.view import ImageView
from genai_tui.sample_files import SampleFiles
from genai_tui.widgets.field import Field, Part, entitle


@dataclass(frozen=True, slots=True)
class Page:
    """A picture or texts, ready to be shown."""

    of: int = 1
    picture: Picture | None = None
    arrangement: GridLayout | None = None
    texts: Sequence[str] = ()
    problem: str = ""


class Samples(Vertical, can_focus=True):
    """The samples of one step. Files are read in a thread, one page of them."""

    class Loaded(Message):
        """A page has been read."""

        def __init__(self, wanted: tuple[object, ...], page: Page) -> None:
            super().__init__()
            self.wanted = wanted
            self.page = page

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j,pagedown", "turn(1)", "next page", show=False, tooltip="More samples"),
        Binding("up,k,pageup", "turn(-1)", "previous page", show=False, tooltip="Samples before"),
    ]
    ALLOW_MAXIMIZE = True

    def __init__(self, *, id: str | None = None, nothing: str = "no samples yet") -> None:
        super().__init__(id=id)
        self._nothing = nothing
        self._run = Path()
        self._relative = ""
        self._page = 0
        self._pages = 1
        self._caption = ""
        self._wanted: tuple[object, ...] = ()
        self._shown = False

    def compose(self) -> ComposeResult:
        yield ImageView()
        with VerticalScroll(can_focus=False):
            yield Field(classes="texts")
        yield Field(classes="nothing")

    def on_mount(self) -> None:
        entitle(self, "samples")
        self._show_one("nothing")
        self.query_one(".nothing", Field).show(self._nothing)
        self.watch(self.app, "graphics", self._load, init=False)  # pyright: ignore[reportUnknownMemberType,reportUnknownArgumentType]

    def show(self, run: Path, relative: str, caption: str = "") -> None:
        """Shows the samples in a folder of a run; an empty name shows that there are none."""
        if (run, relative) != (self._run, self._relative):
            self._page = 0 if run != self._run else self._page
            self._run, self._relative = run, relative
        self._caption = caption
        self._load()

    def on_resize(self) -> None:
        self._load()

    def action_turn(self, pages: int) -> None:
        texts = self.query_one(VerticalScroll)
        if texts.display:
            texts.scroll_relative(y=pages * max(1, texts.size.height - 1), animate=False)
        elif self._pages > 1:
            self._page = (self._page + pages) % self._pages
            self._load()

    def _load(self) -> None:
        view = self.query_one(ImageView)
        room = self.content_size
        wanted = (self._run, self._relative, self._page, room, view.shown_mode)
        self._show_caption()
        if wanted == self._wanted or not room.area:
            return
        self._wanted = wanted
        if not self._relative:
            self._show_one("nothing")
            return
        self._read(wanted, view.shown_mode)

    @work(thread=True, exclusive=True, group="samples")
    def _read(self, wanted: tuple[object, ...], mode: Mode) -> None:
        width, height = self.content_size
        files = sample_files.find(self._run, self._relative)
        page = read_page(files, self._page, width, height, mode)
        self.post_message(self.Loaded(wanted, page))  # dropped if something else is wanted now

    def on_samples_loaded(self, event: Loaded) -> None:
        event.stop()
        if event.wanted != self._wanted:
            return
        page, self._shown = event.page, True
        self._pages = page.of
        if page.picture is not None:
            scale = page.arrangement.scale if page.arrangement else None
            self.query_one(ImageView).show(page.picture, scale=scale)
            self._show_one("picture")
        elif page.texts:
            self.query_one(".texts", Field).show(*_joined(page.texts), layout=True)
            self._show_one("texts")
        else:
            self.query_one(".nothing", Field).show(page.problem or self._nothing)
            self._show_one("nothing")
        self._show_caption()

    def _show_caption(self) -> None:
        page = f" · page {self._page % self._pages + 1} of {self._pages}" if self._pages > 1 else ""
        view = self.query_one(ImageView)
        way = view.shown_mode if view.display else ""
        better = view.graphics.hint if way else ""  # as in: set -g allow-passthrough on
        entitle(self, f"samples{page}", " · ".join(filter(None, (self._caption, way, better))))

    def _show_one(self, what: str) -> None:
        self.query_one(ImageView).display = what == "picture"
        self.query_one(VerticalScroll).display = what == "texts"
        self.query_one(".nothing").display = what == "nothing"


def read_page(files: SampleFiles, page: int, width: int, height: int, mode: Mode) -> Page:
    """One page of samples: as many tiles as can be seen well, else the grid, else all texts."""
    if files.texts:
        return Page(texts=[sample_files.read_text(path) for path in files.texts])
    if files.pictures:
        try:
            return _tiles(files.pictures, page, width, height, mode)
        except (PictureError, ValueError):
            pass  # one tile is damaged or of another size: the grid shows what there was
    if files.grid is not None:
        try:
            return Page(picture=load(files.grid))
        except PictureError as error:
            return Page(problem=str(error))
    return Page(problem="these samples are no longer on disk")


def _tiles(pictures: Sequence[Path], page: int, width: int, height: int, mode: Mode) -> Page:
    first = load(pictures[0])
    arranged = layout(first.shape[1], first.shape[0], width, height, mode, len(pictures))
    page %= arranged.pages
    start = page * arranged.per_page
    tiles = [load(path) for path in pictures[start : start + arranged.per_page]]
    missing = math.ceil(len(tiles) / arranged.columns) * arranged.columns - len(tiles)
    tiles += [np.zeros_like(first)] * (missing if page else 0)
    return Page(arranged.pages, compose(tiles, arranged.columns, arranged.gap), arranged)


def _joined(texts: Sequence[str]) -> list[Part]:
    """All texts one below the other, each under its number."""
    parts: list[Part] = []
    for index, text in enumerate(texts):
        parts += [(f"{index + 1}\n", "bold $text-primary"), text.rstrip("\n") + "\n\n"]
    return parts
