"""The wall of a gallery: as many samples beside one another as can be seen well."""

from collections.abc import Sequence

from textual import events
from textual.containers import Grid
from textual.message import Message

from genai_tui.gallery import Item
from genai_tui.widgets.field import entitle
from genai_tui.widgets.sample_pages import Look, Place
from genai_tui.widgets.sample_view import SampleView

CARD_WIDTH, CARD_HEIGHT = 32, 14
"""Cells of a card, about: two tiles of 28 x 28 pixels beside one another, or a stanza."""


class Card(SampleView):
    """The first samples of one step, in a frame with their run and step."""

    REMEMBERED_BYTES = 1 << 20

    class Pointed(Message):
        """The user clicks at a card; again at the same one."""

        def __init__(self, card: "Card", *, again: bool) -> None:
            super().__init__()
            self.card = card
            self.again = again

    def __init__(self) -> None:
        super().__init__(nothing="")

    def hang(self, item: Item, place: Place, heading: str, *, marked: bool) -> None:
        """Shows the samples of an item, which are at a place."""
        self.visible = True
        self.look(Look(place, glance=True))
        star = "★ " if item.keepsake.starred else ""
        mark = "✓ " if marked else ""
        entitle(self, f"{mark}{star}{item.run.name}", f"step {item.drawn.step:,} · {heading}")

    def clear(self) -> None:
        """An empty place."""
        self.visible = False
        self.look(None)

    def on_sample_view_shown(self, event: SampleView.Shown) -> None:
        event.stop()

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Pointed(self, again=event.chain > 1))


class Wall(Grid):
    """Cards in rows; it only shows what it is told."""

    class Changed(Message):
        """There is room for another number of cards."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns, self.rows = 1, 1

    async def on_resize(self, event: events.Resize) -> None:
        """Hangs or takes away cards, so that all are of about the same size at any."""
        columns = max(1, event.size.width // CARD_WIDTH)
        rows = max(1, round(event.size.height / CARD_HEIGHT))
        if (columns, rows) == (self.columns, self.rows) and self.children:
            return
        self.columns, self.rows = columns, rows
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        there = list(self.query(Card))
        for card in there[columns * rows :]:
            await card.remove()
        missing = columns * rows - len(there)
        if missing > 0:
            await self.mount_all([Card() for _ in range(missing)])
        self.post_message(self.Changed())

    @property
    def cards(self) -> Sequence[Card]:
        """Row by row."""
        return list(self.query(Card))[: self.columns * self.rows]
