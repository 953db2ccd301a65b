"""How the numbers of one part of a model were spread over a run: a few of its histograms.

However many a run writes, at most MOST_KEPT stay, about evenly spaced by the step, and the newest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backends.records import Histogram
from genai_tui.column import Floats

MOST_KEPT = 400
MOST_BINS = 256
LARGEST = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """One histogram: ``counts`` [n] of equal bins from ``low`` to ``high``, n >= 1.

    The outer bins also hold what lies beyond, down to ``least`` and up to ``most``.
    """

    step: float
    low: float
    high: float
    counts: Floats
    least: float
    most: float
    not_finite: int

    @property
    def count(self) -> int:
        """How many numbers there were."""
        return int(self.counts.sum()) + self.not_finite


def bins_of(record: Histogram) -> Bins | None:
    """What a record says; None where it makes no sense."""
    ends = (record.low, record.high, record.least, record.most)
    if not all(math.isfinite(end) and abs(end) <= LARGEST for end in ends):
        return None
    if record.low > record.high or not 1 <= len(record.counts) <= MOST_BINS:
        return None
    if min(record.counts) < 0 or record.not_finite < 0:
        return None
    counts = np.array(record.counts, np.float64)
    return Bins(float(record.step), ends[0], ends[1], counts, *ends[2:], record.not_finite)


class Spread:
    """The histograms of one name, by their steps."""

    def __init__(self) -> None:
        self.kept: list[Bins] = []
        self._apart = 0.0  # steps between two that are kept

    def add(self, bins: Bins) -> None:
        """Takes the next one; of one step the last counts, and none that comes too late."""
        kept = self.kept
        if kept and bins.step < kept[-1].step:
            return
        while kept and kept[-1].step == bins.step:
            kept.pop()
        if len(kept) > 1 and kept[-1].step - kept[-2].step < self._apart:
            kept.pop()
        kept.append(bins)
        if len(kept) > MOST_KEPT:
            self._thin()

    def cut(self, step: int) -> None:
        """Forgets those beyond ``step``."""
        while self.kept and self.kept[-1].step > step:
            self.kept.pop()

    def at(self, step: float | None) -> Bins | None:
        """The newest one until a step; of all where that is None."""
        if step is None:
            return self.kept[-1] if self.kept else None
        return next((bins for bins in reversed(self.kept) if bins.step <= step), None)

    def _thin(self) -> None:
        """Leaves about every other one."""
        first, last = self.kept[0].step, self.kept[-1].step
        self._apart = 2 * (last - first) / MOST_KEPT
        thinned = [self.kept[0]]
        for bins in self.kept[1:-1]:
            if bins.step - thinned[-1].step >= self._apart:
                thinned.append(bins)
        self.kept = [*thinned, self.kept[-1]]


def columns_of(kept: Sequence[Bins]) -> dict[str, tuple[Floats, Floats]]:
    """Histograms as columns of a table: steps and values by what they are."""
    steps = np.array([bins.step for bins in kept])
    ends = ("low", "high", "least", "most", "not_finite")
    found = {end: (steps, np.array([float(getattr(bins, end)) for bins in kept])) for end in ends}
    for place in range(max((len(bins.counts) for bins in kept), default=0)):
        having = [bins for bins in kept if len(bins.counts) > place]
        values = np.array([bins.counts[place] for bins in having])
        found[f"bin_{place}"] = (np.array([bins.step for bins in having]), values)
    return found
