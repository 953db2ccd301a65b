"""Dates in 16 ways of writing, and each as year-month-day: learned in minutes, made on the spot."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

from backends.data import Dataset, permutation
from backends.datasets._pairs import Pair, pairs_dataset
from backends.datasets._vocabulary import Characters
from backends.knobs import Bounds
from backends.seeds import seed_of

MODALITY = "pairs"
EMBEDDED = True
NEEDS_PATH = False

FIRST = date(1970, 1, 1)
DAYS = (date(2070, 1, 1) - FIRST).days
"""A hundred years, so that two digits tell a year."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_ONES = (
    *("oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth"),
    *("seventeenth", "eighteenth", "nineteenth", "twentieth"),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    count: Annotated[int, "dates that are written", Bounds(100, 500_000)] = 20_000


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """``count`` pairs, drawn once and for all; every pair has a source of its own."""
    every = DAYS * len(WAYS)
    chosen = permutation(every, seed_of(0, 0, "dates"))[: config.count].tolist()
    pairs = [written(*divmod(number, len(WAYS))) for number in chosen]
    return pairs_dataset(
        pairs,
        Characters.of("".join(line for pair in pairs for line in pair)),
        where="dates",
        source=64,
        target=10,
        validation=validation,
    )


def written(day: int, way: int) -> Pair:
    """The date ``day`` days after the first, in one of the ways and as ISO 8601 has it."""
    when = FIRST + timedelta(days=day)
    return WAYS[way](when), when.isoformat()


def _month(d: date) -> str:
    return _MONTHS[d.month - 1]


def _weekday(d: date) -> str:
    return _WEEKDAYS[d.weekday()]


def _numbered(n: int) -> str:
    """ "1st", "12th", "22nd"."""
    ending = "th" if 10 < n < 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def _ordinal(n: int) -> str:
    """ "first", "twenty-second"."""
    if n <= 20:
        return _ORDINALS[n - 1]
    return "thirtieth" if n == 30 else f"{_TENS[n // 10]}-{_ORDINALS[n % 10 - 1]}"


def _spoken(year: int) -> str:
    """ "nineteen eighty-seven", "twenty oh five", "two thousand"."""
    century, rest = divmod(year, 100)
    if not rest:
        return f"{_ONES[century // 10]} thousand"
    if rest < 20:
        spoken = _ONES[rest] if rest > 9 else f"oh {_ONES[rest]}"
    else:
        spoken = _TENS[rest // 10] + (f"-{_ONES[rest % 10]}" if rest % 10 else "")
    return f"{'nineteen' if century == 19 else 'twenty'} {spoken}"


WAYS: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d.day} {_month(d)} {d.year}",
    lambda d: f"{_month(d)} {d.day}, {d.year}",
    lambda d: f"{_numbered(d.day)} of {_month(d)}, {d.year}",
    lambda d: f"{_month(d)} {_numbered(d.day)}, {d.year}",
    lambda d: f"{_weekday(d)}, {d.day} {_month(d)} {d.year}",
    lambda d: f"{_weekday(d)[:3]} {_month(d)[:3]} {d.day} {d.year}",
    lambda d: f"{d.day}-{_month(d)[:3]}-{d.year % 100:02d}",
    lambda d: f"{_month(d)[:3]}. {d.day}, '{d.year % 100:02d}",
    lambda d: f"{d.day:02d}.{d.month:02d}.{d.year}",
    lambda d: f"{d.day}.{d.month}.{d.year % 100:02d}",
    lambda d: f"{d.year}/{d.month}/{d.day}",
    lambda d: f"{d.day} {_ROMAN[d.month - 1]} {d.year}",
    lambda d: f"{_weekday(d)}, {_month(d)} {d.day}, {d.year}".upper(),
    lambda d: f"the {_ordinal(d.day)} of {_month(d)} {d.year}",
    lambda d: f"{_month(d)} the {_ordinal(d.day)}, '{d.year % 100:02d}",
    lambda d: f"{d.day} {_month(d)} {_spoken(d.year)}",
)
"""Ways of writing a date; no line of one way is a line of another."""
