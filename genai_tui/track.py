"""One scalar of a run as it grows: points that are added, cut off and thinned out."""

import numpy as np
from numpy.typing import NDArray

from genai_tui.column import Column, Floats

Places = NDArray[np.intp]


class Track:
    """One scalar of a run: its steps and values, sorted by step, in columns that grow.

    Most scalars are logged with every step: as long as that is so, their steps are those of
    `times`, and are kept once.
    """

    __slots__ = ("_counts", "_means", "_own", "_times", "_values", "cuts")

    def __init__(self, times: "Track | None" = None) -> None:
        self._times = times
        self._own, self._values = Column(), Column()
        self._means = self._counts = np.empty(0)  # of what was thinned, a place for each point
        self.cuts = 0
        """How often points were taken away; who keeps something beside the points looks here."""

    def __len__(self) -> int:
        return len(self._values)

    @property
    def steps(self) -> Floats:
        return self._own.view if self._times is None else self._times.steps[: len(self)]

    @property
    def values(self) -> Floats:
        return self._values.view

    @property
    def is_thinned(self) -> bool:
        """Whether points that were logged are not here."""
        return len(self._means) > 0

    def course(self, begin: int = 0) -> Floats:
        """The values from a place on without the noise that was thinned out: means stand for it.

        A lowest and a highest value say nothing about what lay between them; a curve that is
        smoothed goes by these.
        """
        thinned = len(self._means)
        return np.concatenate((self._means[begin:], self.values[max(begin, thinned) :]))

    def extend(self, steps: Floats, values: Floats) -> None:
        """Adds points; those that lie before the last one are left out."""
        before = self.steps[-1] if len(self) else -np.inf
        if steps[0] < before or np.any(steps[1:] < steps[:-1]):
            ordered = steps >= np.maximum(np.maximum.accumulate(steps), before)
            steps, values = steps[ordered], values[ordered]
        if self._times is not None and not self._keeps_pace(self._times, steps):
            self.part()
        if self._times is None:
            self._own.extend(steps)
        self._values.extend(values)

    def cut(self, step: int) -> None:
        """Forgets the points beyond ``step``."""
        size = int(np.searchsorted(self.steps, step, side="right"))
        if size < len(self):
            self._own.cut(size)
            self._values.cut(size)
            self._means, self._counts = self._means[:size], self._counts[:size]
            self.cuts += 1

    def keep_last(self, count: int) -> None:
        """Forgets all but the last ``count`` points."""
        if self._times is not None and len(self) < len(self._times):
            self.part()
        surplus = len(self) - count
        if surplus > 0:
            self._own.drop(surplus)
            self._values.drop(surplus)
            self._means, self._counts = self._means[surplus:], self._counts[surplus:]
            self.cuts += 1

    def keep_steps(self, steps: Floats) -> None:
        """Forgets the points at other steps than these; of a track that is not thinned out."""
        self._keep(np.flatnonzero(np.isin(self.steps, steps, assume_unique=True)))

    def thin(self, most: int) -> None:
        """Leaves at most ``most`` points, 16 or more, and those of the newer half as they are.

        The older ones lie in spans of steps, all of one width, a power of two: of each span the
        lowest, the highest and the first that is no number stay. So no peak and no gap is lost, a
        curve with more spans than columns looks as it did, and a wider span gets from narrower ones
        what it would have got from all.
        """
        self.part()
        older = len(self) - most // 2
        values, spans = self.values[:older], _spans(self.steps[:older], most // 8)
        finite = np.isfinite(values)
        low = np.minimum.reduceat(np.where(finite, values, np.inf), _begins(spans))[spans]
        high = np.maximum.reduceat(np.where(finite, values, -np.inf), _begins(spans))[spans]
        told = (finite & (values == low), finite & (values == high), ~finite)
        places = np.unique(np.concatenate([_first_of_each(spans, each) for each in told]))
        self._average(spans, finite, places)
        self._keep(np.append(places, np.arange(older, len(self))))

    def _average(self, spans: Places, finite: NDArray[np.bool_], places: Places) -> None:
        """Gives those who stay of a span the mean of all, and how many each of them stands for."""
        raw = len(spans) - len(self._counts)
        counts = np.where(finite, np.append(self._counts, np.ones(raw)), 0.0)
        means = np.where(finite, self.course()[: len(spans)], 0.0)
        begins, staying = _begins(spans), np.zeros(len(spans))
        staying[places] = finite[places]
        whole = np.add.reduceat(counts, begins)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.add.reduceat(means * counts, begins) / np.maximum(whole, 1)
        each = whole / np.maximum(np.add.reduceat(staying, begins), 1)
        self._means = np.where(finite, mean[spans], np.nan)[places]
        self._counts = np.where(finite, each[spans], 0.0)[places]

    def _keep(self, places: Places) -> None:
        self._own.keep(places)
        self._values.keep(places)
        self.cuts += 1

    def part(self) -> None:
        """From now on it has steps of its own."""
        if self._times is not None:
            self._own.extend(self.steps)
            self._times = None

    def _keeps_pace(self, times: "Track", steps: Floats) -> bool:
        """Whether the next steps are those of ``times`` as well."""
        return np.array_equal(times.steps[len(self) : len(self) + len(steps)], steps)


def _spans(steps: Floats, most: int) -> Places:
    """In which of at most ``most`` spans each step lies, from 0 on without a gap; shape [n]."""
    width = 1.0
    while steps[-1] // width - steps[0] // width >= most:
        width *= 2
    begins = np.diff(steps // width, prepend=steps[0] // width) > 0
    return np.cumsum(begins, dtype=np.intp)


def _begins(spans: Places) -> Places:
    """Where each span begins."""
    return np.flatnonzero(np.diff(spans, prepend=-1))


def _first_of_each(spans: Places, found: NDArray[np.bool_]) -> Places:
    """The first place of each span that was found in it."""
    places = np.flatnonzero(found)
    return places[_begins(spans[places])]
