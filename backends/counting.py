"""How far a long piece of work is: told by whoever does it, to whoever waits for it, or to nobody.

What does the work need not know who listens; telling costs nothing to speak of, and is passed on at
most a few times a second.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from backends.watching import Observer

T = TypeVar("T")
Tell = Callable[[int, int], None]
"""Takes how much is done, and of how much."""

FIRST_SECONDS, EVERY_SECONDS = 0.5, 0.25
"""What is done within the first half second need not say how far it is."""


def _nobody(done: int, of: int) -> None:
    """Nobody waits."""


_listener: ContextVar[Tell] = ContextVar("listener", default=_nobody)


@contextmanager
def told_to(tell: Tell) -> Iterator[None]:
    """Passes on to ``tell`` what is told within, now and then."""
    due = time.monotonic() + FIRST_SECONDS

    def now_and_then(done: int, of: int) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + EVERY_SECONDS
            tell(done, of)

    token = _listener.set(now_and_then)
    try:
        yield
    finally:
        _listener.reset(token)


def told(done: int, of: int) -> None:
    """Says that so much of the work is done."""
    _listener.get()(done, of)


def counted(items: Iterable[T], of: int) -> Iterator[T]:
    """``items``, of which there are ``of``; each that was worked on is told."""
    for done, item in enumerate(items, 1):
        yield item
        told(done, of)


class Counting(Observer):
    """Watches a drawing of ``count`` samples to say how many of them there are."""

    def __init__(self, count: int) -> None:
        self._count = count

    def advanced(self, share: float) -> None:
        told(int(share * self._count), self._count)
