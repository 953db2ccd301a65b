"""What a table of n-gram counts reaches on a text: the line that a language model must cross.

p(x_t | c) = (N(c, x_t) + α) / (N(c) + α V) for the context c of the n - 1 tokens before x_t, with
N counted on the training text, α = 0.05 and V the size of the vocabulary (Lidstone 1920).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

ORDERS = (1, 2, 3, 4)
ALPHA = 0.05
MOST = 2**22
"""Tokens of either text that are counted: a few seconds."""

Ids = NDArray[np.int64]


def ngram_losses(train: Ids, held: Ids, vocabulary: int) -> dict[str, float]:
    """Mean negative log-likelihood of ``held`` in nats a token, by "1-gram" to "4-gram".

    A token's context may reach back as far as the held-out text does; the few at its beginning that
    have none are left out.
    """
    train, held = train[:MOST], held[:MOST]
    found = {}
    for n, contexts in zip(ORDERS, _contexts(np.concatenate([train, held])), strict=False):
        if len(held) < n or len(train) < n:
            break
        loss = _loss(*_parts(contexts, len(train), n), train[n - 1 :], held[n - 1 :], vocabulary)
        found[f"{n}-gram"] = loss
    return found


def _contexts(ids: Ids) -> Iterator[Ids]:
    """For n = 1, 2, ...: a number for the n - 1 tokens before each of ids[n - 1:], no two alike."""
    codes = np.zeros(len(ids), np.int64)
    while len(codes):
        yield codes
        pairs = codes * (int(ids.max()) + 1) + ids[len(ids) - len(codes) :]
        codes = np.unique(pairs, return_inverse=True)[1][:-1]


def _parts(contexts: Ids, train: int, n: int) -> tuple[Ids, Ids]:
    """Contexts of train[n - 1:] and of held[n - 1:]; those across the border belong to neither."""
    return contexts[: train - n + 1], contexts[train:]


def _loss(known: Ids, asked: Ids, x: Ids, y: Ids, vocabulary: int) -> float:
    """-mean log p(y | asked) of counts of x after ``known``."""
    pairs, given = _counts(known * vocabulary + x), _counts(known)
    both, alone = _looked_up(pairs, asked * vocabulary + y), _looked_up(given, asked)
    return float(-np.log((both + ALPHA) / (alone + ALPHA * vocabulary)).mean())


def _counts(codes: Ids) -> tuple[Ids, Ids]:
    return np.unique(codes, return_counts=True)


def _looked_up(table: tuple[Ids, Ids], codes: Ids) -> Ids:
    """How often each of ``codes`` was counted."""
    known, counts = table
    at = np.searchsorted(known, codes).clip(max=len(known) - 1)
    return np.where(known[at] == codes, counts[at], 0)
