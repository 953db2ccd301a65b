"""Axes: nice ticks and numbers, linear and logarithmic scales, and ranges that do not jump."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LIMIT = 1e300
"""Larger values are drawn at the edge: twice as much still is a finite span."""
_SMALLEST = 1e-300
_SI = ("", "k", "M", "G", "T", "P")
_STEPS = (1.0, 2.0, 5.0, 10.0)
_RUNGS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Tick:
    """A round value on an axis, and how it is written there."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The values from `low` to `high` (finite, low < high; on a log scale low > 0)."""

    low: float
    high: float
    log: bool = False

    def position(self, values: Floats) -> Floats:
        """Where values lie: 0 at `low`, 1 at `high`; NaN for what a log scale cannot show.

        Values very far outside a linear scale are brought nearer, lest the division overflow.
        """
        if self.log:
            bottom, top = math.log10(self.low), math.log10(self.high)
            shown = np.log10(values, where=values > 0, out=np.full(np.shape(values), np.nan))
            return (shown - bottom) / (top - bottom)
        span = self.high - self.low
        return (np.clip(values, self.low - 100 * span, self.high + 100 * span) - self.low) / span

    def ticks(self, count: int) -> list[Tick]:
        """At most about `count` >= 1 round values within the scale, in order."""
        if self.log:
            return _log_ticks(self, count)
        return _linear_ticks(self, count)

    def label(self, value: float) -> str:
        """A value of this scale, for a readout."""
        return step_label(value)


def nice_step(span: float, count: int) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that cuts `span` > 0 into at most `count`."""
    return _rung(span / max(count, 1), _STEPS)


def _rung(value: float, ladder: Sequence[float]) -> float:
    """The smallest rung times a power of ten that is not below `value` > 0."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((r * power for r in ladder if r * power >= value * (1 - 1e-9)), 10 * power)


def _linear_ticks(scale: Scale, count: int) -> list[Tick]:
    step = nice_step(scale.high - scale.low, count)
    first, last = math.ceil(scale.low / step - 1e-6), math.floor(scale.high / step + 1e-6)
    values = [i * step for i in range(first, last + 1)]
    size = max(map(abs, values), default=step)
    return [Tick(v, tick_label(v, step, size)) for v in values]


def _log_ticks(scale: Scale, count: int) -> list[Tick]:
    """Decades; with 2 and 5 between them if there is room; plain steps within one decade."""
    bottom, top = math.log10(scale.low) - 1e-9, math.log10(scale.high) + 1e-9
    stride = max(1, math.ceil((top - bottom) / max(count, 1) - 1e-6))
    first, last = math.ceil(bottom), math.floor(top)
    powers = range(first + -first % stride, last + 1, stride)
    if len(powers) < 2 and last > first:
        powers = range(first, last + 1, last - first)
    values = [10.0**power for power in powers]
    if 3 * (top - bottom) <= count:
        decades = range(first - 1, last + 1)
        values = [m * 10.0**e for e in decades for m in (1.0, 2.0, 5.0)]
        values = [v for v in values if bottom <= math.log10(v) <= top]
    if len(values) < 2:
        return _linear_ticks(scale, count)
    return [Tick(v, tick_label(v, v, v)) for v in values]


def tick_label(value: float, step: float, size: float) -> str:
    """`value` with just the digits that tell it from its neighbours `step` away.

    `size` is the largest magnitude on the axis; all its labels share one unit: 0.25, 1.5k, 2e-5.
    """
    if value == 0:
        return "0"
    fine = math.floor(math.log10(step) + 1e-9)
    exponent = math.floor(math.log10(size) + 1e-9)
    if exponent < -3 or exponent >= 3 * len(_SI):
        own = math.floor(math.log10(abs(value)) + 1e-9)
        return _scientific(value, max(0, own - fine))
    unit = exponent // 3 if exponent >= 4 else 0
    return f"{value / 1000**unit:.{max(0, 3 * unit - fine)}f}{_SI[unit]}"


def value_label(value: float) -> str:
    """`value` to four digits of steady width: 0.4120, 12.34, 1.235M, 3.100e-4, NaN."""
    if not math.isfinite(value):
        return "NaN"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -3 or exponent >= 3 * len(_SI):
        return _scientific(value, 3)
    return _engineering(f"{value:.3e}", 4)


def step_label(value: float) -> str:
    """A step, as short as four digits allow: 950, 12.3k, 1.5M."""
    if not math.isfinite(value) or value == 0 or not 1e-3 <= abs(value) < 1e18:
        return f"{value:.4g}"
    number = _engineering(f"{value:.3e}", 3)
    digits, unit = (number[:-1], number[-1]) if number[-1].isalpha() else (number, "")
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + unit


def _engineering(rounded: str, least: int) -> str:
    """A number already rounded to four digits, with a unit if its exponent reaches `least`."""
    value, exponent = float(rounded), int(rounded.partition("e")[2])
    unit = exponent // 3 if exponent >= least else 0
    return f"{value / 1000**unit:.{max(0, 3 - exponent + 3 * unit)}f}{_SI[unit]}"


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{min(digits, 16)}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def fitted(low: float, high: float, *, log: bool = False) -> Scale:
    """A scale with round ends and a little room around the values from `low` to `high`.

    A constant gets room as well. On a linear scale, values that are all positive and begin
    near zero begin at zero. A log scale needs low > 0.
    """
    if log:
        return _fitted_log(low, high)
    low, high = (min(max(end, -LIMIT), LIMIT) for end in (low, high))
    size, span = max(abs(low), abs(high)), high - low
    if size < _SMALLEST:
        return Scale(-1.0, 1.0)
    if span < 1e-9 * size:
        span = 0.2 * size
    step = nice_step(span, 20)
    bottom = math.floor((low - 0.04 * span) / step + 1e-9) * step
    top = math.ceil((high + 0.04 * span) / step - 1e-9) * step
    if low >= 0 and (bottom <= 0 or low < 0.2 * high):
        bottom = 0.0
    if low < 0 and high <= 0 <= top:
        top = 0.0
    return Scale(bottom, top)


def _fitted_log(low: float, high: float) -> Scale:
    low = min(max(low, _SMALLEST), LIMIT) * 0.95
    high = min(max(high, _SMALLEST), LIMIT) * 1.05
    bottom = next(
        r
        for r in (8.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5)
        if r * _decade(low) <= low * (1 + 1e-9)
    )
    return Scale(bottom * _decade(low), _rung(high, _RUNGS), True)


def _decade(value: float) -> float:
    return 10.0 ** math.floor(math.log10(value))


class Sticky:
    """A scale that follows its data in few jumps, as every jump repaints the whole chart."""

    def __init__(self) -> None:
        self._scale: Scale | None = None

    def fit(self, low: float, high: float, *, log: bool = False) -> Scale:
        """The last scale while it holds the data and is not much too wide; else a fresh one.

        Where the data has left the last scale, the fresh one has room to go on in that direction.
        """
        fresh, held = fitted(low, high, log=log), self._scale
        if held is None or held.log != log or _wide(held, fresh):
            self._scale = fresh
        elif low < held.low or high > held.high:
            self._scale = fitted(*_ahead(held, low, high), log=log)
        return self._scale or fresh


def _ahead(held: Scale, low: float, high: float) -> tuple[float, float]:
    """The ends of the data, moved on by a third of its span where it has left the held scale."""
    if held.log:
        room = 0.33 * (math.log10(high) - math.log10(low))
        below, above = low * 10 ** max(-room, -300), high * 10 ** min(room, 300)
    else:
        room = 0.33 * (high - low)
        below, above = low - room, high + room
        below = max(below, 0.0) if low >= 0 else below
    return (below if low < held.low else low), (min(above, LIMIT) if high > held.high else high)


def _wide(held: Scale, fresh: Scale) -> bool:
    """Whether the fresh scale would fill less than 60 % of the held one."""
    ends = held.position(np.array([fresh.low, fresh.high]))
    return bool(ends[1] - ends[0] < 0.6)


def grown(first: float, last: float, hint: float | None = None) -> tuple[float, float]:
    """The range of an x axis for data from `first` to `last`; it grows in jumps of 20 to 50 %.

    It begins at 0 unless the data begins far from there. `hint` is where x is expected to end:
    the axis stops there once the data has come 40 % of the way.
    """
    reach = max(last, hint or last)
    start = 0.0 if 0 <= first <= 0.2 * reach else first
    if hint is not None and last <= hint and start < hint and last - start >= 0.4 * (hint - start):
        return start, hint
    span = (last - start) * 1.02
    stop = start + (_rung(span, _RUNGS) if span > _SMALLEST else 1.0)
    if hint is not None and last <= hint and start < hint:
        stop = min(stop, hint)
    return start, stop if stop > start else math.nextafter(start, math.inf)
