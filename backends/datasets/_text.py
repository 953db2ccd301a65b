"""Makes a data set of a text: what is held out are whole stretches, spread over the text."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from backends.data import Dataset, Tokens
from backends.data_error import DataError
from backends.datasets._counts import ngram_losses
from backends.model import DataShape, Vocabulary

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """The ids to train on, and those held out; both are stretches of the text, joined."""

    train: Ids
    validation: Ids


def text_dataset(
    ids: Ids,
    vocabulary: Vocabulary,
    *,
    where: str,
    context: int,
    validation: float,
    sections: int = 20,
    notices: tuple[str, ...] = (),
) -> Dataset:
    """Windows of ``context`` tokens over ``ids``, split by :func:`split`."""
    parts = split_text(ids, validation, context, sections, where, vocabulary.start)
    return windows(parts, vocabulary, context, notices)


def split_text(
    ids: Ids, share: float, context: int, sections: int, where: str, newline: int = ord("\n")
) -> Split:
    """:func:`split`, where there is enough to split.

    Raises:
        DataError: the text is too short for ``context``.
    """
    need = 3 * context + 1
    if len(ids) < need:
        have = f"{where} has {len(ids):,} tokens, and context {context} needs {need:,}"
        raise DataError(f"{have}: lower context or add text")
    return split(ids, share, context, sections, newline)


def windows(
    parts: Split, vocabulary: Vocabulary, context: int, notices: tuple[str, ...] = ()
) -> Dataset:
    """The data set of a text that is split already, each part long enough for a window."""
    return Dataset(
        DataShape("text", (context,), (), vocabulary),
        Tokens(torch.from_numpy(parts.train), context, shift=True),
        Tokens(torch.from_numpy(parts.validation), context),
        notices,
        partial(ngram_losses, parts.train, parts.validation, vocabulary.size),
    )


def split(ids: Ids, share: float, context: int, sections: int, newline: int) -> Split:
    """Holds out the end of each of ``sections`` equal sections, about ``share`` of the text.

    Each text of a collection so has its part in both. A short text has fewer sections, because a
    stretch that is held out must fill a window. Cuts move back to the line's beginning where one
    is near. The split is the same for every ``context`` that is short beside the text.
    """
    n, train_needs, window = len(ids), 2 * context, context + 1
    wanted = min(max(round(n * share), window), n - train_needs)
    sections = max(1, min(sections, wanted // window))
    each = -(-wanted // sections)
    reach = min(200, max(0, n - sections * each - train_needs) // (2 * sections))
    ends = [_line_before(ids, n * i // sections, reach, newline) for i in range(1, sections)] + [n]
    cuts = [_line_before(ids, end - each, reach, newline) for end in ends]
    begins = [0, *ends[:-1]]
    return Split(
        np.concatenate([ids[begin:cut] for begin, cut in zip(begins, cuts, strict=True)]),
        np.concatenate([ids[cut:end] for cut, end in zip(cuts, ends, strict=True)]),
    )


def _line_before(ids: Ids, position: int, reach: int, newline: int) -> int:
    """The last beginning of a line in (position - reach, position], else ``position``."""
    (ends,) = np.nonzero(ids[position - reach : position] == newline)
    return position - reach + int(ends[-1]) + 1 if len(ends) else position
