"""The fold: records become series, samples, marks and a phase. Pure: no clock, no file, no screen.

A ``Start`` record at step s forgets what was logged beyond s, by an earlier attempt or by one that
went back, so that after any number of crashes the series equal those of an undisturbed run.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from backends.records import (
    Checkpoint,
    End,
    Histogram,
    Mark,
    Notice,
    Phase,
    Record,
    Sample,
    Score,
    Start,
    Step,
)
from genai_tui.column import Floats
from genai_tui.groups import Group, grouped
from genai_tui.spreads import Spread, bins_of
from genai_tui.track import Track

MOST_SERIES = 1000
"""More keys than any training logs: what comes beyond is a mistake, and is counted as damaged."""
MOST_SPREADS = 64
MOST_EVENTS = 1000
MOST_POINTS = 1 << 17
"""Of a scalar; more columns than any screen has, many times over."""
MOST_IN_ALL = 1 << 22
"""Points of all scalars: 64 MiB."""
LARGEST_STEP = 2**53
LATEST = 1e11
"""Seconds since the epoch beyond which no clock of a run is right."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment of a run: a step, and when it was logged in seconds since the epoch, if known."""

    step: float
    t: float | None


@dataclass(frozen=True, slots=True)
class Wild:
    """A number that is none: NaN, or infinite."""

    at: Instant
    value: float


class History:
    """All that a run's records tell, up to the last one folded.

    Of a scalar with more than ``most`` points the older ones are thinned out, as
    :meth:`Track.thin` does it, so that what it takes does not grow with the log. Each step at which
    a scalar has a point keeps its time.
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most = most
        self.values: dict[str, Track] = {}
        self.rates: dict[str, Track] = {}
        self.times = Track()
        """When each step was logged, in seconds since the epoch."""
        self.wild: dict[str, Wild] = {}
        """The first value that was not finite, of each of `values` that had one."""
        self.spreads: dict[str, Spread] = {}
        """Histograms by their names."""
        self.samples: list[Sample] = []
        self.checkpoints: list[Checkpoint] = []
        self.scores: list[Score] = []
        self.starts: list[Start] = []
        self.crashes: list[Start] = []
        """Those starts that came after an attempt without a goodbye."""
        self.marks: list[Mark] = []
        self.notices: list[Notice] = []
        self.phase: Phase | None = None
        self.end: End | None = None
        self.damaged = 0
        self._groups: tuple[int, list[Group]] = (0, [])

    @property
    def step(self) -> int:
        """The last logged step."""
        return int(self.times.steps[-1]) if len(self.times) else 0

    @property
    def begun(self) -> float:
        """When the run first trained, in seconds since the epoch; 0 if it never did."""
        return self.starts[0].t if self.starts else 0.0

    @property
    def steps_per_epoch(self) -> float:
        """How many steps it takes to see every item once; 0 where the run does not say."""
        said = self.starts[-1].steps_per_epoch if self.starts else 0.0
        return said if 0 < said < np.inf else 0.0

    def instant(self, step: float) -> Instant:
        """The moment at which the last point up to ``step`` was logged."""
        index = int(np.searchsorted(self.times.steps, step, side="right")) - 1
        if index >= 0:
            return Instant(step, float(self.times.values[index]))
        return Instant(step, self.starts[0].t if self.starts else None)

    def fold(self, batch: Iterable[Record], damaged: int = 0) -> None:
        """Takes in the next records, in their order in the log."""
        self.damaged += damaged
        steps: list[Step] = []
        for record in batch:
            if not 0 <= record.step < LARGEST_STEP:
                self.damaged += 1
            elif type(record) is Step:
                steps.append(record)
            else:
                self._fold_steps(steps)
                steps.clear()
                self._FOLDS[type(record)](self, record)
        self._fold_steps(steps)
        self._thin()

    @property
    def is_thinned(self) -> bool:
        """Whether there are points on record that are not here."""
        return any(track.is_thinned for track in self._scalars())

    def keep_last(self, count: int) -> None:
        """Forgets most of a long run: the last ``count`` points of each scalar stay, or more."""
        tracks = self._tracks()
        if max(map(len, tracks)) > count + count // 8:
            for track in tracks:
                track.keep_last(count)

    def _thin(self) -> None:
        scalars = self._scalars()
        most = min(self._most, MOST_IN_ALL // max(1, len(scalars)))
        sizes = [len(track) for track in scalars]
        if max(sizes, default=0) <= most and len(self.times) <= most + sum(sizes):
            return
        for track in scalars:  # before the times change, whose steps are theirs
            track.part()
            if len(track) > most:
                track.thin(most)
        told = [track.steps for track in scalars]
        self.times.keep_steps(np.unique(np.concatenate([*told, self.times.steps[-1:]])))

    def _scalars(self) -> tuple[Track, ...]:
        return (*self.values.values(), *self.rates.values())

    def _tracks(self) -> tuple[Track, ...]:
        return (*self._scalars(), self.times)

    def track(self, key: str) -> Track:
        """The track of a key that a group names."""
        return self.values[key] if key in self.values else self.rates[key]

    def groups(self) -> list[Group]:
        """The charts to draw, the most telling first; the same list while no key is new."""
        count = len(self.values) + len(self.rates)
        if self._groups[0] != count:
            self._groups = (count, grouped(self.values, self.rates))
        return self._groups[1]

    def last(self, key: str) -> float | None:
        """The newest value of a key; None if it was never logged."""
        track = self.values.get(key) or self.rates.get(key)
        return float(track.values[-1]) if track else None

    def _fold_steps(self, steps: list[Step]) -> None:
        if not steps:
            return
        moments = np.array([(step.step, step.t) for step in steps], np.float64)
        self._add_times(moments[:, 0], moments[:, 1])
        self._add(self.values, [(step.step, step.values) for step in steps])
        self._add(self.rates, [(step.step, step.rates) for step in steps])

    def _add_times(self, steps: Floats, times: Floats) -> None:
        """A step has one time, however many records are about it."""
        new = np.diff(steps, prepend=self.times.steps[-1] if len(self.times) else -1.0) > 0
        if new.any():
            self.times.extend(steps[new], np.clip(times[new], 0, LATEST))

    def _add(self, tracks: dict[str, Track], rows: list[tuple[int, dict[str, Any]]]) -> None:
        """Adds rows to their tracks, whole columns of rows with the same keys at a time."""
        tables: dict[tuple[str, ...], list[tuple[int, dict[str, Any]]]] = {}
        for row in rows:
            tables.setdefault(tuple(row[1]), []).append(row)
        pieces: dict[str, list[tuple[Floats, Floats]]] = {}
        for keys, table in tables.items():
            steps = np.array([step for step, _ in table], np.float64)
            columns = np.array([list(row.values()) for _, row in table], np.float64).T
            for key, column in zip(keys, columns, strict=True):
                pieces.setdefault(key, []).append((steps, column))
        for key, parts in pieces.items():
            self._extend(tracks, key, parts)

    def _extend(
        self, tracks: dict[str, Track], key: str, parts: list[tuple[Floats, Floats]]
    ) -> None:
        track = tracks.get(key)
        if track is None:
            if len(self.values) + len(self.rates) >= MOST_SERIES:
                self.damaged += 1
                return
            track = tracks[key] = Track(self.times)
        steps, values = parts[0]
        if len(parts) > 1:
            steps = np.concatenate([steps for steps, _ in parts])
            order = np.argsort(steps, kind="stable")
            steps, values = steps[order], np.concatenate([values for _, values in parts])[order]
        track.extend(steps, values)
        if tracks is self.values and key not in self.wild:
            self._look_for_wild(key, steps, values)

    def _look_for_wild(self, key: str, steps: Floats, values: Floats) -> None:
        wild = ~np.isfinite(values)
        if wild.any():
            first = int(np.argmax(wild))
            self.wild[key] = Wild(self.instant(float(steps[first])), float(values[first]))

    def _fold_start(self, start: Start) -> None:
        for track in self._tracks():
            track.cut(start.step)
        self.wild = {key: one for key, one in self.wild.items() if one.at.step <= start.step}
        for spread in self.spreads.values():
            spread.cut(start.step)
        self.samples = [sample for sample in self.samples if sample.step <= start.step]
        self.checkpoints = [kept for kept in self.checkpoints if kept.step <= start.step]
        if not self.starts or start.attempt != self.starts[-1].attempt:  # else it went back itself
            if self.starts and self.end is None:
                self.crashes.append(start)
            self.starts.append(start)
        self.phase = self.end = None

    def _fold_histogram(self, histogram: Histogram) -> None:
        bins = bins_of(histogram)
        spread = self.spreads.get(histogram.name)
        if bins is None or (spread is None and len(self.spreads) >= MOST_SPREADS):
            self.damaged += 1
            return
        if spread is None:
            spread = self.spreads[histogram.name] = Spread()
        spread.add(bins)

    def _fold_sample(self, sample: Sample) -> None:
        self.samples = [kept for kept in self.samples if kept.path != sample.path] + [sample]

    def _fold_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)

    def _fold_phase(self, phase: Phase) -> None:
        self.phase = phase

    def _fold_mark(self, mark: Mark) -> None:
        self.marks.append(mark)
        del self.marks[:-MOST_EVENTS]

    def _fold_notice(self, notice: Notice) -> None:
        self.notices.append(notice)
        del self.notices[:-MOST_EVENTS]

    def _fold_score(self, score: Score) -> None:
        self.scores.append(score)
        del self.scores[:-MOST_EVENTS]

    def _fold_end(self, end: End) -> None:
        self.end, self.phase = end, None

    _FOLDS: ClassVar[dict[type, Callable[["History", Any], None]]] = {
        Start: _fold_start,
        Histogram: _fold_histogram,
        Sample: _fold_sample,
        Checkpoint: _fold_checkpoint,
        Phase: _fold_phase,
        Mark: _fold_mark,
        Notice: _fold_notice,
        Score: _fold_score,
        End: _fold_end,
    }
