"""Data in memory, and its order: a pure function of (seed, epoch, index), so nothing to save.

A data set is one file ``backends/datasets/<name>.py`` that defines ``MODALITY``, a ``Config`` of
knobs and ``load(config, path, validation) -> Dataset``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from backends.model import DataShape
from backends.seeds import mix, seed_of


class Source(ABC):
    """Items that can be fetched by index, on one device.

    A source that ``streams`` does not fit into memory: its items are fetched while the step before
    is computed, see :class:`backends.feed.Feed`.
    """

    @property
    def streams(self) -> bool:
        """Whether items are read ahead."""
        return False

    @property
    def augments(self) -> bool:
        """Whether :meth:`fetch` looks at its ``seeds``; where not, none are made."""
        return True

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def fetch(
        self, indices: Tensor, seeds: Tensor, epoch_seed: int
    ) -> tuple[Tensor, Tensor | None]:
        """The items ``indices`` [B] as (x, y); see :class:`backends.model.Batch`.

        ``seeds`` [B] is one augmentation seed an item, ``epoch_seed`` one an epoch.
        """

    @abstractmethod
    def to(self, device: torch.device) -> "Source":
        """The same items on ``device``."""


RESIDENT = 2**31
"""Most bytes of pictures that lie in a device's memory as a whole; more are streamed."""


@dataclass(frozen=True, slots=True)
class Images(Source):
    """Pictures as one tensor.

    Attributes:
        pixels: uint8 [M, C, H, W]; it may be mapped from a file that is larger than memory.
        labels: int64 [N], or None.
        flip: mirror half of the items, chosen anew each epoch.
        rows: int64 [N], the pictures that are the items; None for all of them in order.
    """

    pixels: Tensor
    labels: Tensor | None = None
    flip: bool = False
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pixels if self.rows is None else self.rows)

    @property
    def streams(self) -> bool:
        """Whether the pictures stay where they are, as they do not fit into a device's memory."""
        return self.pixels.nbytes > RESIDENT

    @property
    def augments(self) -> bool:
        """Only a flip is drawn."""
        return self.flip

    def fetch(
        self, indices: Tensor, seeds: Tensor, epoch_seed: int
    ) -> tuple[Tensor, Tensor | None]:
        """Images [B, C, H, W] in [-1, 1] and their labels [B]."""
        indices = indices.to(self.pixels.device)
        rows = indices if self.rows is None else self.rows[indices]
        x = self.pixels[rows].float().div_(127.5).sub_(1.0)
        if self.flip:
            mirrored = (seeds.to(x.device) & 1).bool()[:, None, None, None]
            x = torch.where(mirrored, x.flip(-1), x)
        return x, None if self.labels is None else self.labels[indices]

    def to(self, device: torch.device) -> "Images":
        if self.streams:
            return self
        pixels = self.pixels if self.rows is None else self.pixels[self.rows]
        labels = None if self.labels is None else self.labels.to(device)
        return Images(pixels.to(device), labels, self.flip)


@dataclass(frozen=True, slots=True)
class Tokens(Source):
    """A text as token ids, cut into windows.

    Attributes:
        ids: int64 [L].
        context: T; an item is T + 1 consecutive ids.
        shift: let the windows begin elsewhere each epoch.
    """

    ids: Tensor
    context: int
    shift: bool = False

    @property
    def augments(self) -> bool:
        """The shift is one an epoch, and no item's own."""
        return False

    def __len__(self) -> int:
        room = len(self.ids) - 1 - (self.context - 1 if self.shift else 0)
        return max(0, room // self.context)

    def fetch(self, indices: Tensor, seeds: Tensor, epoch_seed: int) -> tuple[Tensor, None]:
        """Windows [B, T + 1] of ids, and no labels."""
        offset = epoch_seed % self.context if self.shift else 0
        begin = indices.to(self.ids.device) * self.context + offset
        return self.ids[begin[:, None] + torch.arange(self.context + 1, device=begin.device)], None

    def to(self, device: torch.device) -> "Tokens":
        return Tokens(self.ids.to(device), self.context, self.shift)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set, split.

    Attributes:
        notices: sentences for the user, such as "3 files skipped".
        baselines: what needs no network reaches on the held-out items, by name ("4-gram"); called
            once a training, before the first validation. See :class:`backends.model.Model`.
    """

    shape: DataShape
    train: Source
    validation: Source
    notices: tuple[str, ...] = ()
    baselines: Callable[[], Mapping[str, float]] = dict

    def to(self, device: torch.device) -> "Dataset":
        return replace(self, train=self.train.to(device), validation=self.validation.to(device))


@dataclass(frozen=True, slots=True)
class Order:
    """Which items a step sees: every epoch is a permutation of all items, keyed by (seed, epoch).

    Epochs join without a gap: a batch may hold the end of one and the beginning of the next.
    In ``sequential`` order the items are not permuted: item i of a batch follows item i of the
    batch before, as a recurrent network needs it that carries its state over.
    """

    source: Source
    batch_size: int
    seed: int
    sequential: bool = False

    def batch(self, step: int) -> tuple[Tensor, Tensor | None]:
        """The (x, y) of ``step``; a pure function of it."""
        if self.sequential:
            return self._next_of_each_lane(step)
        first, n = step * self.batch_size, len(self.source)
        parts, position = [], first
        while position < first + self.batch_size:
            epoch, begin = divmod(position, n)
            end = min(n, begin + first + self.batch_size - position)
            parts.append(self._fetch(epoch, begin, end))
            position += end - begin
        if len(parts) == 1:
            return parts[0]
        xs, ys = zip(*parts, strict=True)
        return torch.cat(xs), None if ys[0] is None else torch.cat(ys)

    def _next_of_each_lane(self, step: int) -> tuple[Tensor, Tensor | None]:
        """Lane i begins at item i n / B; where it ends, lane i + 1 has begun."""
        n = len(self.source)
        lanes = torch.arange(self.batch_size) * n // self.batch_size
        indices = (lanes + step) % n
        return self.source.fetch(indices, self._seeds(indices, self.seed), 0)

    def _fetch(self, epoch: int, begin: int, end: int) -> tuple[Tensor, Tensor | None]:
        key = seed_of(self.seed, epoch, "order")
        indices = permutation(len(self.source), key)[begin:end]
        return self.source.fetch(indices, self._seeds(indices, key), key)

    def _seeds(self, indices: Tensor, key: int) -> Tensor:
        return mix(indices, key) if self.source.augments else indices


def permutation(n: int, key: int) -> Tensor:
    """A permutation of range(n) that depends on ``key`` alone. The last ones are remembered."""
    known = _PERMUTATIONS.get((n, key))
    if known is None:
        known = torch.randperm(n, generator=torch.Generator().manual_seed(key))
        if len(_PERMUTATIONS) >= 4:
            _PERMUTATIONS.pop(next(iter(_PERMUTATIONS)))
        _PERMUTATIONS[n, key] = known
    return known


_PERMUTATIONS: dict[tuple[int, int], Tensor] = {}


def held_out(n: int, share: float) -> tuple[Tensor, Tensor]:
    """Indices (train, validation) of n items, the same for every run, so that runs compare."""
    order = permutation(n, seed_of(0, 0, "split"))
    count = min(max(1, round(n * share)), n - 1) if n > 1 else 0
    return order[count:].sort().values, order[:count].sort().values
