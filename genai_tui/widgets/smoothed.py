"""Curves smoothed as they grow, each once."""

from dataclasses import dataclass, field

from genai_tui.charts.series import Series
from genai_tui.charts.smoothing import Smoother
from genai_tui.column import Floats
from genai_tui.track import Track

WEIGHTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(slots=True)
class Smoothed:
    """The smoothed values of a track, kept up with it."""

    smoother: Smoother
    cuts: int = 0

    def follow(self, track: Track) -> None:
        if self.cuts != track.cuts:
            self.smoother, self.cuts = Smoother(self.smoother.weight), track.cuts
        if len(self.smoother) < len(track):
            self.smoother.extend(track.course(len(self.smoother)))


@dataclass(slots=True)
class Smoothing:
    """A weight, and what was smoothed with it so far."""

    weight: float
    done: dict[str, Smoothed] = field(default_factory=dict)

    def turn(self, direction: int) -> None:
        """The next stronger or weaker weight."""
        nearest = min(range(len(WEIGHTS)), key=lambda i: abs(WEIGHTS[i] - self.weight))
        self.change(WEIGHTS[max(0, min(nearest + direction, len(WEIGHTS) - 1))])

    def change(self, weight: float) -> None:
        self.weight = weight
        self.done.clear()

    def series(self, key: str, name: str, track: Track) -> Series:
        """The track as a chart's line over its steps."""
        return Series(name, track.steps, track.values, self.values(key, track))

    def values(self, key: str, track: Track) -> Floats | None:
        """The track smoothed; None where noise does not hide its course."""
        if self.weight == 0 or key.endswith("lr") or key.startswith("validation/"):
            return None
        smoothed = self.done.setdefault(key, Smoothed(Smoother(self.weight), track.cuts))
        smoothed.follow(track)
        return smoothed.smoother.values
