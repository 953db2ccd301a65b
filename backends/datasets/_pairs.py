"""Makes a data set of pairs of lines; no line that is held out as a source is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backends.data import Dataset, Source, held_out
from backends.data_error import DataError
from backends.datasets._files import MEMORY, counted, gib
from backends.datasets._lines import Lines
from backends.model import DataShape, Vocabulary

Pair = tuple[str, str]
"""A source line and its target."""

Ids = tuple[list[int], list[int]]


@dataclass(frozen=True, slots=True)
class Pairs(Source):
    """Source lines and what each of them becomes.

    Attributes:
        sources: int32 [N, S], padded.
        targets: int32 [N, T + 1]: start, tokens, end, padded.
    """

    sources: Tensor
    targets: Tensor

    @property
    def augments(self) -> bool:
        """Nothing is drawn."""
        return False

    def __len__(self) -> int:
        return len(self.sources)

    def fetch(self, indices: Tensor, seeds: Tensor, epoch_seed: int) -> tuple[Tensor, Tensor]:
        """Ids [B, S] of the sources and [B, T + 1] of the targets."""
        rows = indices.to(self.sources.device)
        return self.sources[rows].long(), self.targets[rows].long()

    def to(self, device: torch.device) -> "Pairs":
        return replace(self, sources=self.sources.to(device), targets=self.targets.to(device))


def pairs_dataset(
    pairs: Sequence[Pair],
    vocabulary: Vocabulary,
    *,
    where: str,
    source: int,
    target: int,
    validation: float,
    notices: tuple[str, ...] = (),
) -> Dataset:
    """Pairs of at most ``source`` and ``target`` tokens, padded to the longest that there is.

    Raises:
        DataError: nothing to train on or to hold out is left, or it does not fit into memory.
    """
    words = Lines(vocabulary)
    ids = [(words.encode(one), words.encode(two)) for one, two in pairs]
    short = [i for i, (one, two) in enumerate(ids) if len(one) <= source and len(two) <= target]
    long = f"longer than source {source:,} or target {target:,} tokens"
    if not short:
        raise DataError(f"every pair of {where} is {long}: raise source or target")
    left_out = len(ids) - len(short)
    notice = f"{counted(left_out, 'pair')} of {where} left out: {long}"
    train, held = _split([pairs[i][0] for i in short], where, validation)
    sources, targets = _padded([ids[i] for i in short], words, where)
    return Dataset(
        DataShape("pairs", (sources.shape[1], targets.shape[1] - 1), (), words),
        Pairs(sources[train], targets[train]),
        Pairs(sources[held], targets[held]),
        (*notices, notice) if left_out else notices,
    )


def _split(lines: Sequence[str], where: str, share: float) -> tuple[Tensor, Tensor]:
    """Indices (train, validation) of pairs: those that share a source are on one side."""
    numbers = {line: i for i, line in enumerate(dict.fromkeys(lines))}
    if len(numbers) < 2:
        raise DataError(f"{where} has but one source line, and one must be held out: add lines")
    group = torch.tensor([numbers[line] for line in lines])
    held = torch.isin(group, held_out(len(numbers), share)[1])
    return (~held).nonzero()[:, 0], held.nonzero()[:, 0]


def _padded(ids: Sequence[Ids], words: Lines, where: str) -> tuple[Tensor, Tensor]:
    s, t = max(len(one) for one, _ in ids), max(len(two) for _, two in ids) + 1
    size = 4 * len(ids) * (s + t + 1)
    if size > MEMORY:
        need = f"the pairs of {where} take {gib(size)} when they are padded to {s} and {t} tokens"
        raise DataError(f"{need}, and {gib(MEMORY)} is the limit: lower source or target")
    sources = torch.full((len(ids), s), words.pad, dtype=torch.int32)
    targets = torch.full((len(ids), t + 1), words.pad, dtype=torch.int32)
    for row, (one, two) in enumerate(ids):
        sources[row, : len(one)] = torch.tensor(one, dtype=torch.int32)
        marked = [words.start, *two, words.end]
        targets[row, : len(marked)] = torch.tensor(marked, dtype=torch.int32)
    return sources, targets
