"""The part of an x axis in sight: zoomed around a place, moved, kept within what there is."""

from genai_tui.charts.buckets import Floats

Window = tuple[float, float]
"""Where the part begins and ends: start < stop."""

NEWEST_AT = 0.8
"""Where in a window that follows the newest point is put: it moves on once it reaches the end."""
_FINEST = 1e-9


def zoomed(window: Window, whole: Window, factor: float, anchor: float) -> Window | None:
    """`window` made `factor` times as wide around `anchor`; None once it holds all of `whole`."""
    start, stop = window
    anchor = min(max(anchor, start), stop)
    start, stop = anchor - (anchor - start) * factor, anchor + (stop - anchor) * factor
    if stop - start >= whole[1] - whole[0]:
        return None
    if stop - start <= _FINEST * max(abs(start), abs(stop), whole[1] - whole[0]):
        return window
    return within((start, stop), whole)


def panned(window: Window, whole: Window, share: float) -> Window:
    """`window` moved by a share of its own width."""
    by = share * (window[1] - window[0])
    return within((window[0] + by, window[1] + by), whole)


def within(window: Window, whole: Window) -> Window:
    """`window`, moved into `whole` as far as it fits there."""
    by = max(whole[0] - window[0], 0.0) or min(whole[1] - window[1], 0.0)
    moved = window[0] + by, window[1] + by
    return moved if moved[0] < moved[1] else window


def holding(window: Window, x: float) -> Window:
    """`window`, moved just so far that x is in it, with a tenth of its width to spare."""
    start, stop = window
    spare = 0.1 * (stop - start)
    if x < start:
        return x - spare, x - spare + (stop - start)
    if x > stop:
        return x + spare - (stop - start), x + spare
    return window


def following(window: Window, newest: float) -> Window:
    """`window`, moved on so that `newest` has room to grow; unmoved while it still has."""
    start, stop = window
    if start <= newest < stop:
        return window
    width = stop - start
    return newest - NEWEST_AT * width, newest + (1 - NEWEST_AT) * width


def nearest(places: Floats, x: float) -> int:
    """The index of the place (sorted, at least one) that is nearest to x."""
    right = min(int(places.searchsorted(x)), len(places) - 1)
    left = max(right - 1, 0)
    return left if x - places[left] <= places[right] - x else right
