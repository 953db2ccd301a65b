"""What samplers tell of their work while they draw: to whoever watches, or to nobody.

A sampler is a function of weights and request, watched or not: an observer is shown what there is
and changes nothing, so that the samples are the same to the last bit. It may end the drawing, by
raising.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Choose = Callable[["Tensor"], "Tensor"]
"""Tokens [B] for logits [B, V]."""


class Observer:
    """Somebody who watches a drawing. The tensors are the sampler's own: look, copy, do not touch.

    ``first`` is the number of samples drawn before those that are shown: many are drawn in parts.
    """

    def advanced(self, share: float) -> None:
        """That share of all the work, in (0, 1], is done."""

    def pictured(self, first: int, images: Tensor, seen: Tensor | None = None) -> None:
        """Pictures [B, C, H, W] about [-1, 1] as they will be, as far as can be told by now;
        ``seen`` is what the network saw, where that is something else."""

    def began(self, first: int, prompts: Sequence[str]) -> None:
        """Texts that begin with ``prompts`` are about to be written."""

    def chose(self, first: int, ids: Tensor, logits: Tensor) -> None:
        """The next tokens [B], out of logits [B, V]."""


_NOBODY = Observer()
_observer: ContextVar[Observer] = ContextVar("observer", default=_NOBODY)


def observer() -> Observer:
    """Who watches now; somebody to whom nothing means anything, where nobody does."""
    return _observer.get()


def is_watched() -> bool:
    """Whether it is worth the while to work out what an observer would be told."""
    return observer() is not _NOBODY


@contextmanager
def watched_by(who: Observer) -> Iterator[None]:
    """All that is drawn within is told to ``who``."""
    token = _observer.set(who)
    try:
        yield
    finally:
        _observer.reset(token)


def telling(choose: Choose, *, first: int, count: int, tokens: int) -> Choose:
    """``choose`` for one part of the samples, which tells of every token.

    Args:
        first: samples that were drawn before.
        count: samples in all.
        tokens: how often it is called.
    """
    done = 0

    def told(logits: Tensor) -> Tensor:
        nonlocal done
        ids, done = choose(logits), done + 1
        observer().chose(first, ids, logits)
        observer().advanced((first + len(ids) * done / tokens) / count)
        return ids

    return told if is_watched() else choose
