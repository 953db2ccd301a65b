"""Numbers as people read them: durations, ages, sizes, rates, counts. What is unknown is "–"."""

import math

UNKNOWN = "–"

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def duration(seconds: float | None) -> str:
    """Two units at most: "42 s", "3 min", "1 h 05 min", "2 d 3 h"."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.0f} s" if round(seconds) < 60 else "1 min"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def short_duration(seconds: float | None) -> str:
    """One unit, for a narrow column: "42s", "3m", "5h", "12d"."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    seconds = max(0.0, seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:.0f}s"


def age(seconds: float) -> str:
    """How long ago, no finer than minutes, so that it rarely changes: "now", "5m", "3h", "12d"."""
    return "now" if seconds < 60 else short_duration(seconds)


def size(count: float | None) -> str:
    """Bytes in decimal units with two or three digits: "812 B", "1.4 MB", "80 GB"."""
    if count is None:
        return UNKNOWN
    power = 0
    while count >= 999.5 and power < len(_UNITS) - 1:
        count, power = count / 1000, power + 1
    digits = 1 if power and count < 9.95 else 0
    return f"{count:.{digits}f} {_UNITS[power]}"


def gibibytes(count: int | None) -> str:
    """Memory in GiB without its unit, for "34/80 GiB": "0.8", "34"."""
    if count is None:
        return UNKNOWN
    value = count / 2**30
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def rate(per_second: float | None) -> str:
    """Three digits: "0.25", "12.3", "1.2k"."""
    if per_second is None or not math.isfinite(per_second):
        return UNKNOWN
    if per_second >= 999.5:
        return count(per_second)
    digits = 2 if per_second < 9.995 else (1 if per_second < 99.95 else 0)
    return f"{per_second:.{digits}f}"


def count(number: float) -> str:
    """A count, short: "950", "12.3k", "1.5M"."""
    for size_, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size_ and number >= 1000:
            return f"{number / size_:.3g}{unit}"
    return f"{number:.0f}"


def value(number: float | None) -> str:
    """A scalar in at most eight characters: "0.4120", "1.2e-05", "nan"."""
    if number is None:
        return UNKNOWN
    if not math.isfinite(number):
        return str(number).replace("inf", "Inf").replace("nan", "NaN")
    if number == 0:
        return "0"
    if 1e-3 <= abs(number) < 1e5:
        return f"{number:.4g}" if abs(number) >= 1000 else f"{number:.{_digits(number)}f}"
    return f"{number:.1e}"


def phase(name: str, done: int, of: int) -> str:
    """What a worker does and how far it is: "validating 3 of 8"."""
    return f"{name} {done:,} of {of:,}" if of > 0 else name


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _digits(number: float) -> int:
    """Decimals for four significant digits."""
    return max(0, 3 - math.floor(math.log10(abs(number))))
