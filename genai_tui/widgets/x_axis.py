"""What charts of a run have on their x axis: its steps, its epochs, or time."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from genai_tui.charts.plot import Unit
from genai_tui.column import Column, Floats
from genai_tui.history import History
from genai_tui.track import Track

Kind = Literal["step", "epoch", "relative", "wall"]
KINDS: tuple[Kind, ...] = ("step", "epoch", "relative", "wall")
UNITS: dict[Kind, Unit] = {
    "step": "number",
    "epoch": "number",
    "relative": "duration",
    "wall": "clock",
}


@dataclass(slots=True)
class Placed:
    """Where the points of a track lie, kept up with it."""

    cuts: int
    places: Column = field(default_factory=Column)


class XAxis:
    """Steps of a run as places on an axis of some kind; what it cannot know it does not offer."""

    def __init__(self) -> None:
        self.kind: Kind = "step"
        self._history = History()
        self._placed: dict[str, Placed] = {}

    def follow(self, history: History) -> None:
        """Takes a history, which may have grown."""
        if history is not self._history:
            self._placed.clear()
        self._history = history

    @property
    def offered(self) -> list[Kind]:
        """The kinds that this run's records know enough for."""
        known = {
            "step": True,
            "epoch": self._history.steps_per_epoch > 0,
            "relative": len(self._history.times) > 0,
            "wall": len(self._history.times) > 0,
        }
        return [kind for kind in KINDS if known[kind]]

    def turn(self) -> None:
        """On to the next kind that is offered."""
        offered = self.offered
        place = offered.index(self.kind) if self.kind in offered else -1
        self.kind = offered[(place + 1) % len(offered)]
        self._placed.clear()

    def use(self, kind: Kind) -> None:
        """That kind from now on."""
        if kind != self.kind:
            self.kind = kind
            self._placed.clear()

    def place(self, step: float) -> float:
        """Where a step lies."""
        return float(self.places(np.array([step]))[0])

    def step_at(self, x: float) -> float:
        """The step that lies at x; the first or the last one outside."""
        history = self._history
        if self.kind == "step" or not len(history.times):
            return x
        if self.kind == "epoch":
            return x * history.steps_per_epoch
        clock = np.maximum.accumulate(history.times.values)
        t = x + (history.begun if self.kind == "relative" else 0.0)
        return float(np.interp(t, clock, history.times.steps))

    def column(self, key: str, track: Track) -> Floats:
        """Where the points of a track lie, sorted; shape [n]."""
        if self.kind == "step":
            return track.steps
        placed = self._placed.get(key)
        if placed is None or placed.cuts != track.cuts:
            placed = self._placed[key] = Placed(track.cuts)
        if len(placed.places) < len(track):
            placed.places.extend(self._next(placed.places.view, track))
        return placed.places.view

    def _next(self, before: Floats, track: Track) -> Floats:
        """The places of the points that are not in `before` yet; a clock put back waits."""
        new = np.maximum.accumulate(self.places(track.steps[len(before) :]))
        return np.maximum(new, before[-1]) if len(before) else new

    def places(self, steps: Floats) -> Floats:
        """Where steps lie; shape [n] of both."""
        history = self._history
        if self.kind == "step":
            return steps
        if self.kind == "epoch":
            return steps / (history.steps_per_epoch or 1.0)
        if not len(history.times):
            return np.zeros(len(steps))
        t = np.interp(steps, history.times.steps, history.times.values)
        return t - history.begun if self.kind == "relative" else t
