"""The wall of a gallery: as many samples beside one another as can be seen well."""

import math
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
_CORNERS = 4
"""Cells of a border that no title takes, beside those of its frame."""


class Card(SampleView):
    """The first samples of one step, in a frame with their run and step."""

    REMEMBERED_BYTES = 1 << 20

    class Clicked(Message):
        """The user clicks at a card; again at the same one."""

        def __init__(self, card: "Card", *, again: bool) -> None:
            super().__init__()
            self.card = card
            self.again = again

    def __init__(self) -> None:
        super().__init__(nothing="")
        self._titles = ("", "", "")

    def hang(self, item: Item, place: Place, heading: str, *, marked: bool) -> None:
        """Shows the samples of an item, which are at a place."""
        self.visible = True
        self.look(Look(place, tile=item.tile, glance=True))
        star = "★ " if item.keepsake.starred else ""
        mark = "✓ " if marked else ""
        sample = "" if item.tile is None else f" · sample {item.tile + 1}"
        step = f"step {item.drawn.step:,}{sample}"
        self._titles = (f"{mark}{star}{item.run.name}", step, heading)
        self._entitle()

    def on_resize(self) -> None:
        self._entitle()

    def _entitle(self) -> None:
        title, step, heading = self._titles
        if len(f"{step} · {heading}") > self.size.width - _CORNERS:
            heading = heading.rpartition("/")[2]  # "gpt" says more than "autoregress…"
        entitle(self, title, f"{step} · {heading}")

    def clear(self) -> None:
        """An empty place."""
        self.visible = False
        self.look(None)

    def on_sample_view_shown(self, event: SampleView.Shown) -> None:
        event.stop()

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Clicked(self, again=event.chain > 1))


class Wall(Grid):
    """Cards in rows; it only shows what it is told."""

    class Resized(Message):
        """There is another amount of room."""

    class Filled(Message):
        """There are as many cards as were wanted."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns, self.rows = 1, 1

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def fit(self, count: int) -> None:
        """Makes room for ``count`` cards, as large as they can be, or for as many as there may."""
        self.columns, self.rows = arrangement(count, *self.size)
        if len(self.children) != self.columns * self.rows:
            self.call_later(self._fill)

    @property
    def cards(self) -> Sequence[Card]:
        """Row by row."""
        return list(self.query(Card))

    async def _fill(self) -> None:
        wanted = self.columns * self.rows
        there = self.cards
        if len(there) == wanted:
            return
        self.styles.grid_size_columns, self.styles.grid_size_rows = self.columns, self.rows
        for card in there[wanted:]:
            await card.remove()
        await self.mount_all([Card() for _ in range(wanted - len(there))])
        self.post_message(self.Filled())


def arrangement(count: int, width: int, height: int) -> tuple[int, int]:
    """Columns and rows of cards in a room of cells, at least one.

    As many as can be seen well; fewer and larger ones if that is enough for ``count``.
    """
    columns, rows = max(1, width // CARD_WIDTH), max(1, round(height / CARD_HEIGHT))
    fitting = [
        (math.ceil(count / number), number)
        for number in range(1, rows + 1)
        if 0 < count <= columns * number
    ]
    if not fitting:
        return columns, rows
    return max(
        fitting, key=lambda fit: min(width / fit[0] / CARD_WIDTH, height / fit[1] / CARD_HEIGHT)
    )
