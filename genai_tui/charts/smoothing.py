"""Debiased exponential smoothing of a series, all at once or as it grows."""

import math

import numpy as np
from numpy.typing import ArrayLike

from genai_tui.column import Column, Floats

_BLOCK = 32
"""Values a matrix product sums at once: wider costs more products, narrower more levels."""


class Smoother:
    """Smooths an append-only series: m_k = w m_(k-1) + (1-w) y_k, shown as m_k / (1 - w^k).

    The division takes out the pull of m_0 = 0 (Kingma & Ba 2015, section 3). Values that are
    not finite give NaN and leave the mean as it was. `weight` is in [0, 1); 0 smooths nothing.
    """

    def __init__(self, weight: float) -> None:
        if not 0 <= weight < 1:
            raise ValueError(f"the smoothing weight must be in [0, 1), not {weight}")
        self.weight = weight
        self._mean = 0.0
        self._count = 0
        self._smoothed = Column()

    def __len__(self) -> int:
        return len(self._smoothed)

    @property
    def values(self) -> Floats:
        """All smoothed values so far, read-only; shape [n]."""
        return self._smoothed.view

    def extend(self, new_values: ArrayLike) -> Floats:
        """Append values of shape [n]; returns the smoothed ones in their place, shape [n]."""
        new = np.asarray(new_values, np.float64)
        smoothed = np.full(len(new), np.nan)
        valid = np.isfinite(new)
        smoothed[valid] = self._advance(new[valid])
        self._smoothed.extend(smoothed)
        return smoothed

    def _advance(self, finite: Floats) -> Floats:
        if not len(finite):
            return finite
        means = _scan((1 - self.weight) * finite, self.weight, self._mean)
        debiased = means.copy()
        unsettled = max(0, min(len(finite), _settled(self.weight) - self._count))
        debiased[:unsettled] /= _total_weight(self.weight, self._count, unsettled)
        self._mean, self._count = float(means[-1]), self._count + len(finite)
        return debiased


def smooth(values: ArrayLike, weight: float) -> Floats:
    """The whole of a series of shape [n] smoothed at once, as `Smoother` defines it."""
    return Smoother(weight).extend(values)


def _settled(weight: float) -> int:
    """From which count on 1 - w^k is 1 in double precision."""
    return math.ceil(-40 / math.log(weight)) if weight > 0 else 0


def _total_weight(weight: float, count: int, length: int) -> Floats:
    """1 - w^k for k = count+1 ... count+length."""
    if not length:
        return np.empty(0)
    return -np.expm1(np.arange(count + 1, count + length + 1) * math.log(weight))


def _scan(x: Floats, weight: float, before: float) -> Floats:
    """All m_k = w m_(k-1) + x_k with m_0 = before.

    Within blocks by a triangular matrix of powers of w; the ends of the blocks obey the same
    recurrence with w^block. No power is ever divided by, so nothing overflows or cancels.
    """
    size = _BLOCK if len(x) > _BLOCK else len(x)
    lag = np.arange(size)
    powers = np.tril(weight ** np.maximum(lag[:, None] - lag, 0).astype(np.float64))
    blocks = np.zeros((-(-len(x) // size), size))
    blocks.ravel()[: len(x)] = x
    means = blocks @ powers.T
    carried = np.full(len(means), before)
    if len(means) > 1:
        carried[1:] = _scan(means[:-1, -1], weight**size, before)
    means += carried[:, None] * weight ** (lag + 1.0)
    return means.ravel()[: len(x)]
