"""Axes: nice ticks and numbers, linear and logarithmic scales, and ranges that do not jump."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SI = ("", "k", "M", "G", "T", "P")
_RUNGS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_HUGE = 1e300
_MINUS_ZERO = -0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """The values between `low` and `high` (finite, low < high; on a log scale low > 0)."""

    low: float
    high: float
    log: bool = False

    def position(self, values: Floats) -> Floats:
        """Where values lie: 0 at `low`, 1 at `high`; NaN for what a log scale cannot show."""
        low, high, values = self.low, self.high, np.asarray(values, np.float64)
        if self.log:
            low, high = math.log10(low), math.log10(high)
            values = np.log10(values, where=values > 0, out=np.full_like(values, np.nan))
        # Divided first: the span of two huge numbers of opposite sign would overflow.
        unit = max(abs(low), abs(high))
        return (values / unit - low / unit) / (high / unit - low / unit)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """About `count` >= 1 round values with their labels, all within the scale."""
        if self.log:
            return _log_ticks(self.low, self.high, count)
        return _linear_ticks(self.low, self.high, count)


def nice_step(span: float, count: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that cuts `span` > 0 into at most `count`."""
    rough = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1.0, 2.0, 5.0) if m * power >= rough * (1 - 1e-9)), 10 * power)


def _linear_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    step = nice_step(high / 2 - low / 2, count) * 2 if high - low > _HUGE else None
    step = step or nice_step(high - low, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, tick_label(i * step, step)) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Decades; with 2 and 5 between them if there are few; plain steps within one decade."""
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, math.ceil((math.log10(high) - math.log10(low)) / max(count, 1)))
    values = [10.0**e for e in range(bottom, top + 1) if e % stride == 0 and e >= -307]
    ticks = [v for v in values if low <= v <= high]
    if stride == 1 and len(ticks) * 3 <= count + 2:
        ticks = [m * v for v in values for m in (1.0, 2.0, 5.0) if low <= m * v <= high]
    if len(ticks) < 2:
        return _linear_ticks(low, high, count)
    return [(v, tick_label(v, v)) for v in ticks]


def tick_label(value: float, step: float) -> str:
    """`value` with just the digits that tell it from its neighbours `step` away: 0.25, 1.5k, 2e-5."""
    if value == 0:
        return "0"
    size = max(abs(value), step)
    exponent = math.floor(math.log10(size) + 1e-9)
    digits = max(0, exponent - math.floor(math.log10(step) + 1e-9))
    if exponent < -3 or exponent >= 3 * len(_SI):
        return _scientific(value, digits)
    unit = max(0, exponent // 3) if exponent >= 3 else 0
    decimals = max(0, digits - (exponent - 3 * unit))
    return f"{value / 10 ** (3 * unit) + 0.0:.{decimals}f}{_SI[unit]}"


def value_label(value: float) -> str:
    """`value` to four digits, of steady width: 0.4120, 12.34, 1.235M, 3.100e-4; NaN if not finite."""
    if not math.isfinite(value):
        return "NaN"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -3 or exponent >= 3 * len(_SI):
        return _scientific(value, 3)
    unit = exponent // 3 if exponent >= 4 else 0
    return f"{value / 10 ** (3 * unit):#.4g}".rstrip(".") + _SI[unit]


def step_label(value: float) -> str:
    """A step or another x value, short: 950, 12.3k, 1.5M."""
    if abs(value) < 1000:
        return f"{value:.4g}"
    unit = min(int(math.log10(abs(value)) + 1e-9) // 3, len(_SI) - 1)
    return f"{value / 10 ** (3 * unit):.4g}{_SI[unit]}"


def _scientific(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{min(digits, 16)}e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def padded(low: float, high: float, share: float, *, log: bool = False) -> Scale:
    """A scale with `share` of the span to spare at both ends.

    A constant gets room as well, and a linear scale of values that are all positive
    and begin near zero begins at zero.
    """
    if log:
        return _padded_log(low, high, share)
    span = high - low if high - low < _HUGE else _HUGE
    if span <= 1e-9 * max(abs(low), abs(high)):
        span = max(abs(low), abs(high)) or 1.0
    limit = np.finfo(np.float64).max
    bottom, top = max(low - share * span, -limit), min(high + share * span, limit)
    if low >= 0 and (bottom < 0 or low < 0.2 * high):
        bottom = 0.0
    if high <= 0 and top > 0:
        top = 0.0 if low < 0 else top
    return Scale(bottom, top)


def _padded_log(low: float, high: float, share: float) -> Scale:
    bottom, top = math.log10(low), math.log10(high)
    span = max(top - bottom, 0.2)
    return Scale(10 ** max(bottom - share * span, -307), 10 ** min(top + share * span, 308), True)
