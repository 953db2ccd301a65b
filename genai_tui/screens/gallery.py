"""The gallery: the samples of all runs on one wall, to find, keep and take away."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from genai_tui.feed import Feed
from genai_tui.gallery import VIEWS, Collection, Item, Shelves, held, shelved
from genai_tui.screens.exporting import Chosen
from genai_tui.screens.keeping import Keeping, quiet
from genai_tui.stars import Keepsake
from genai_tui.store import Run, Store, Summary
from genai_tui.widgets.field import Field, entitle
from genai_tui.widgets.key_bar import KeyBar
from genai_tui.widgets.sample_pages import Place
from genai_tui.widgets.wall import Card, Wall


class GalleryScreen(Keeping):
    """Holds all items and the place of the cursor; the wall shows the rows around it."""

    class Opened(Message):
        """The user wants to go through the samples of a run, beginning with these, or with one."""

        def __init__(self, run_id: str, relative: str, tile: int | None) -> None:
            super().__init__()
            self.run_id = run_id
            self.relative = relative
            self.tile = tile

    class PlaygroundWanted(Message):
        """The user wants to go on drawing where these samples were drawn."""

        def __init__(self, run_id: str, step: int) -> None:
            super().__init__()
            self.run_id = run_id
            self.step = step

    class Read(Message, bubble=False):
        """The samples of all runs have been looked through."""

        def __init__(self, items: list[Item]) -> None:
            super().__init__()
            self.items = items

    CSS_PATH = "gallery.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="All samples of the run", id="gallery.open"),
        Binding("z", "view", "view", tooltip="Newest, by model, starred ...", id="gallery.view"),
        Binding(
            "slash", "filter", "filter", tooltip="By name, model, data or note", id="gallery.find"
        ),
        Binding("m", "mark", "mark", tooltip="Mark it, to export several", id="gallery.mark"),
        quiet("M", "unmark", "unmark all", "Mark none", "gallery.unmark"),
        quiet("right", "step(1)", "next", "The next samples", "gallery.next"),
        quiet("left", "step(-1)", "before", "The samples before", "gallery.before"),
        quiet("down,j", "row(1)", "down", "A row down", "gallery.down"),
        quiet("up,k", "row(-1)", "up", "A row up", "gallery.up"),
        quiet("pagedown", "page(1)", "page down", "A page down", "gallery.page-down"),
        quiet("pageup", "page(-1)", "page up", "A page up", "gallery.page-up"),
        quiet("home", "row(-1000000)", "first", "The first samples", "gallery.first"),
        quiet("end", "row(1000000)", "last", "The last samples", "gallery.last"),
        Binding("q,escape", "back", "back", tooltip="Back to where you were", id="gallery.back"),
    ]

    def __init__(self, store: Store, feed: Feed) -> None:
        super().__init__()
        self.store, self.feed = store, feed
        self._collection = Collection(store.root)
        self._runs: list[Summary] = []
        self._items: list[Item] | None = None
        self._shelves = Shelves()
        self._place = (0, 0)
        self._top = 0
        self._view_number = 0
        self._words: list[str] = []
        self._marked: dict[tuple[str, str], Item] = {}
        self._reads = self._reads_again = False

    def compose(self) -> ComposeResult:
        with Vertical(id="gallery"):
            yield Wall(id="wall")
            yield Field(id="nothing")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one("#nothing").display = False
        entitle(self.query_one("#gallery"), "gallery")

    def on_screen_resume(self) -> None:
        self.feed.list_to(self)
        self._read_soon()

    def on_screen_suspend(self) -> None:
        self.feed.drop(self)

    def on_unmount(self) -> None:
        self.feed.drop(self)

    # ------------------------------------------------------------------ what there is

    def on_feed_runs_read(self, event: Feed.RunsRead) -> None:
        self._runs = event.summaries
        self._read_soon()

    def _read_soon(self) -> None:
        """Looks through the runs, or once more when that is done."""
        if self._reads:
            self._reads_again = True
        elif self._runs or self._items is None:
            self._reads = True
            self._read(list(self._runs))

    @work(thread=True, group="gallery")
    def _read(self, runs: list[Summary]) -> None:
        self.post_message(self.Read(self._collection.items(runs or self.store.summaries())))

    def on_gallery_screen_read(self, event: Read) -> None:
        self._reads = False
        before, self._items = self._items, event.items
        if self._items is not before:
            self._sort_out(event.items)
        if self._reads_again:
            self._reads_again = False
            self._read_soon()

    def _sort_out(self, items: list[Item]) -> None:
        there = {item.key: item for item in items}
        self._marked = {key: there[key] for key in self._marked if key in there}
        self._arrange()

    @property
    def chosen(self) -> Chosen | None:
        item = self._shelves.at(self._place)
        return None if item is None else self._chosen(item)

    @property
    def selected(self) -> list[Chosen]:
        if self._marked:
            return [self._chosen(item) for item in self._marked.values()]
        return [] if self.chosen is None else [self.chosen]

    def _chosen(self, item: Item) -> Chosen:
        return Chosen(Run(self.store.root / item.run.id), item.drawn, item.tile)

    def keep(self, run_id: str, kept: dict[str, Keepsake]) -> None:
        self._read_soon()

    # ------------------------------------------------------------------ what is drawn

    def on_wall_resized(self) -> None:
        self._arrange()

    def on_wall_filled(self) -> None:
        self._hang()

    def _arrange(self) -> None:
        """Puts the items on shelves; the cursor stays on its own."""
        if self._items is None:
            return
        item, view, wall = (
            self._shelves.at(self._place),
            VIEWS[self._view_number],
            self.query_one(Wall),
        )
        groups = held(self._items, view, self._words)
        wall.fit(sum(map(len, groups)) if len(groups) == 1 else 0)
        self._shelves = shelved(groups, wall.columns)
        found = None if item is None else self._shelves.find(item.key)
        self._place = found or self._shelves.nearest(self._place)
        self._hang()

    def _hang(self) -> None:
        wall = self.query_one(Wall)
        row, rows = self._place[0], wall.rows
        last = max(0, len(self._shelves.rows) - rows)
        self._top = max(0, min(max(row - rows + 1, min(self._top, row)), last))
        for index, card in enumerate(wall.cards):
            place = (self._top + index // wall.columns, index % wall.columns)
            item = self._shelves.at(place)
            card.set_class(place == self._place and item is not None, "-chosen")
            if item is None:
                card.clear()
            else:
                where = Place(self.store.root / item.run.id, item.drawn.relative)
                card.hang(item, where, self._heading(item), marked=item.key in self._marked)
        self._entitle()

    def _heading(self, item: Item) -> str:
        return VIEWS[self._view_number].group(item) or item.run.model

    def _entitle(self) -> None:
        view, count = VIEWS[self._view_number], self._shelves.count
        nothing = self.query_one("#nothing", Field)
        nothing.display = self._items is not None and not count
        self.query_one(Wall).display = not nothing.display
        nothing.show("No samples contain that." if self._words else view.nothing)
        item = self._shelves.at(self._place)
        note = item.keepsake.note if item is not None else ""
        marked = f"{len(self._marked)} marked" if self._marked else ""
        number = f"{self._number:,} of {count:,}" if count else ""
        below = " · ".join(filter(None, (note, marked, number)))
        entitle(self.query_one("#gallery"), f"gallery · {view.name}", below)

    @property
    def _number(self) -> int:
        before = sum(len(row) for row in self._shelves.rows[: self._place[0]])
        return before + self._place[1] + 1

    # ------------------------------------------------------------------ what keys do

    def action_step(self, by: int) -> None:
        self._go(self._shelves.beside(self._place, by))

    def action_row(self, by: int) -> None:
        self._go(self._shelves.nearest((self._place[0] + by, self._place[1])))

    def action_page(self, by: int) -> None:
        self.action_row(by * self.query_one(Wall).rows)

    def _go(self, place: tuple[int, int]) -> None:
        if place != self._place:
            self._place = place
            self._hang()

    def on_card_clicked(self, event: Card.Clicked) -> None:
        wall = self.query_one(Wall)
        index = wall.cards.index(event.card)
        self._go((self._top + index // wall.columns, index % wall.columns))
        if event.again:
            self.action_open()

    def action_open(self) -> None:
        item = self._shelves.at(self._place)
        if item is None:
            return
        if item.is_played:
            self.post_message(self.PlaygroundWanted(item.run.id, item.drawn.step))
        else:
            self.post_message(self.Opened(item.run.id, item.drawn.relative, item.tile))

    def action_view(self) -> None:
        self._view_number = (self._view_number + 1) % len(VIEWS)
        self._arrange()

    def action_mark(self) -> None:
        item = self._shelves.at(self._place)
        if item is not None and self._marked.pop(item.key, None) is None:
            self._marked[item.key] = item
        self._hang()

    def action_unmark(self) -> None:
        self._marked.clear()
        self._hang()

    async def action_filter(self) -> None:
        if not self.query("#find"):
            find = Input(placeholder="name, model, data or note", compact=True, id="find")
            await self.query_one("#gallery").mount(find)
        self.query_one("#find").focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._words = event.value.lower().split()
        self._arrange()

    def on_input_submitted(self) -> None:
        self.set_focus(None)

    async def action_back(self) -> None:
        if self.query("#find"):
            await self.query("#find").remove()
            self._words = []
            self._arrange()
        else:
            self.dismiss()
