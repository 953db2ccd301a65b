"""A line of text that shows the course of a series, for the cell of a table."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(
    values: ArrayLike,
    width: int,
    *,
    bounds: tuple[float, float] | None = None,
) -> str:
    """At most `width` characters for `values` of shape [n], from the lowest to the highest bar.

    `bounds` are the values of the lowest and the highest bar, else those of the series.

    More values than characters are averaged in groups. A group without a finite value is a
    space; at the very end it is "!", since a series that ends in NaN has gone wrong.
    """
    series = np.asarray(values, np.float64)
    if width < 1 or not len(series):
        return ""
    means = _means(np.where(np.isfinite(series), series, np.nan), width)
    scaled = (bounds[0] / len(series), bounds[1] / len(series)) if bounds else None
    text = [" " if level < 0 else _BARS[level] for level in _levels(means, scaled)]
    return "".join(text[:-1]) + (text[-1] if np.isfinite(series[-1]) else "!")


def _means(series: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Means of groups, all divided by the length of the series lest a sum overflow."""
    count = min(width, len(series))
    starts = np.arange(count) * len(series) // count
    known = np.add.reduceat(np.isfinite(series).astype(np.float64), starts)
    total = np.add.reduceat(np.nan_to_num(series / len(series)), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / known


def _levels(means: NDArray[np.float64], bounds: tuple[float, float] | None) -> list[int]:
    """Bars from 0 to 7, 3 for a constant, -1 for NaN; `bounds` are divided as the means are."""
    finite = means[np.isfinite(means)]
    if not len(finite):
        return [-1] * len(means)
    low, high = bounds or (finite.min(), finite.max())
    low, high = low / 2, high / 2
    if low == high:
        return [3 if known else -1 for known in np.isfinite(means)]
    share = np.clip((means / 2 - low) / (high - low), 0, 1)
    return [-1 if math.isnan(level) else round(7 * level) for level in share.tolist()]
