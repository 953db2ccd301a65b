"""Keys have their effect one after another, also those that come in one burst."""

import time
from collections import deque
from typing import TypeVar

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

Result = TypeVar("Result")
Seen = tuple[Screen[object], Widget | None]
"""A screen and what has the focus on it."""
PATIENCE_SECONDS = 0.5
"""After so long the next key is handed over, whatever became of the one before."""
REST_SECONDS = 0.5
"""Whoever has not typed for so long reads."""


class KeysInOrder(App[Result]):
    """Hands a key over when the one before has had its effect.

    Textual hands all keys that have come to the widget that has the focus then, and does later what
    the first of them is bound to: what is typed right behind the key that opens a dialog or a
    filter would be taken by the screen below, where a letter may stop a training.

    A key goes from the focused widget through the queues of its parents to the App. What is sent
    the same way behind it arrives when the key has been dealt with; what is sent once more, when
    the messages have arrived that the key gave rise to. Where these moved the focus or opened a
    screen, it goes again through the queues of those, until nothing changes any more.
    """

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # pyright: ignore[reportArgumentType]
        self._kept_back: deque[events.Event] = deque()
        self._turn = 0  # of the key that is under way
        self._under_way = False
        self._typed = 0.0

    @property
    def is_at_rest(self) -> bool:
        """Whether no key waits for its effect, and none has come of late."""
        return not self._under_way and time.monotonic() - self._typed > REST_SECONDS

    async def on_event(self, event: events.Event) -> None:
        is_typed = isinstance(event, events.Key | events.Paste) and not event.is_forwarded
        if not is_typed:
            await super().on_event(event)
        elif self._under_way:
            self._keep_back(event)
        else:
            await self._hand_over(event)

    def _keep_back(self, event: events.Event) -> None:
        if not self._kept_back:
            self._lose_patience_later()
        self._kept_back.append(event)

    def _lose_patience_later(self) -> None:
        turn = self._turn
        self.set_timer(PATIENCE_SECONDS, lambda: self._settle(turn))

    async def _hand_over(self, event: events.Event) -> None:
        self._turn += 1
        self._under_way = True
        self._typed = time.monotonic()
        if self._kept_back:
            self._lose_patience_later()
        seen = self.screen, self.focused
        await super().on_event(event)
        self._follow(seen[1] or seen[0], seen, self._turn, first=True)

    def _follow(self, node: DOMNode, seen: Seen, turn: int, first: bool = False) -> None:
        """Goes the key's way behind it; what is being closed passes nothing on."""
        while node is not self:
            parent = node.parent or self
            if node.call_later(self._follow, parent, seen, turn, first):
                return
            node = parent
        # Twice: the App may do in the next moment only what the key is bound to.
        self.call_later(self.call_later, self._arrived, seen, turn, first)

    async def _arrived(self, seen: Seen, turn: int, first: bool) -> None:
        now = self.screen, self.focused
        if first or now != seen:
            self._follow(now[1] or now[0], now, turn)
        else:
            await self._settle(turn)

    async def _settle(self, turn: int) -> None:
        if turn == self._turn and self._under_way:
            self._under_way = False
            if self._kept_back:
                await self._hand_over(self._kept_back.popleft())
