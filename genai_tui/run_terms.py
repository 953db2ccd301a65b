"""What can be said of a run when runs are looked for: the conditions, and what they are about."""

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from backends.records import number
from genai_tui.run import Summary
from genai_tui.run_knobs import Value

KnobOf = Callable[[str, str], Value]
"""The value of a knob by a run's id and the knob's name.

Raises KeyError where the run has no such knob.
"""

MULTIPLES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}

_NUMBER = re.compile(r"([+-]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kmg]?)", re.IGNORECASE)
ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run is judged by beside its summary.

    Attributes:
        now: seconds since the epoch.
        knob: looks a knob up.
    """

    now: float
    knob: KnobOf


class Term(Protocol):
    """One condition."""

    def holds(self, run: Summary, facts: Facts) -> bool: ...


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where ``term`` does not."""

    term: Term

    def holds(self, run: Summary, facts: Facts) -> bool:
        return not self.term.holds(run, facts)


@dataclass(frozen=True, slots=True)
class Word:
    """A text that occurs anywhere in what a list shows."""

    text: str

    def holds(self, run: Summary, facts: Facts) -> bool:
        return any(self.text in text.casefold() for text in _all_texts(run))


@dataclass(frozen=True, slots=True)
class Text:
    """A text in one field; all of it where ``exact``."""

    field: str
    text: str
    exact: bool

    def holds(self, run: Summary, facts: Facts) -> bool:
        texts = [text.casefold() for text in TEXTS[self.field](run)]
        return self.text in texts if self.exact else any(self.text in text for text in texts)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the summary, compared."""

    field: str
    operator: str
    limit: float

    def holds(self, run: Summary, facts: Facts) -> bool:
        found = NUMBERS[self.field](run, facts)
        return found is not None and _compared(found, self.operator, self.limit)


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting of the model, the data or the loop, compared as a number or as a text."""

    name: str
    operator: str
    text: str

    def holds(self, run: Summary, facts: Facts) -> bool:
        try:
            found = facts.knob(run.id, self.name)
        except KeyError:
            return False
        wanted = parse_number(self.text)
        if isinstance(found, int | float) and not isinstance(found, bool) and wanted is not None:
            return _compared(float(found), self.operator, wanted)
        same = self.text.casefold() in _words_of(found)
        return (self.operator == "=" and same) or (self.operator == "!=" and not same)


def _compared(found: float, operator: str, limit: float) -> bool:
    if operator in ORDER:
        return ORDER[operator](found, limit)
    same = (math.isnan(found) and math.isnan(limit)) or math.isclose(found, limit, rel_tol=1e-9)
    return same == (operator == "=")


def _words_of(value: Value) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("yes", "true", "on") if value else ("no", "false", "off")
    return ("none",) if value is None else (str(value).casefold(),)


@dataclass(frozen=True, slots=True)
class Dated:
    """The day on which a run was created, compared with a day."""

    operator: str
    day: float

    def holds(self, run: Summary, facts: Facts) -> bool:
        try:
            local = time.localtime(run.created)
        except (ValueError, OverflowError, OSError):
            return False
        begun = time.mktime((local.tm_year, local.tm_mon, local.tm_mday, 0, 0, 0, 0, 0, -1))
        return bool(run.created) and _compared(begun, self.operator, self.day)


def parse_number(text: str) -> float | None:
    """ "0.3", "1e-3", "1,000", "10k" or "nan"."""
    if text.lower() in ("nan", "inf"):
        return float(text)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    return float(re.sub("[,_]", "", found[1])) * MULTIPLES[found[2].lower()]


# --------------------------------------------------------------------------- fields


def _all_texts(run: Summary) -> Iterator[str]:
    yield from (run.name, run.model, run.dataset, run.state, run.id, run.note)
    yield from run.tags


TEXTS: Mapping[str, Callable[[Summary], tuple[str, ...]]] = {
    "name": lambda run: (run.name,),
    "model": lambda run: (run.model,),
    "data": lambda run: (run.dataset,),
    "state": lambda run: (run.state,),
    "tag": lambda run: run.tags,
    "note": lambda run: (run.note,),
    "id": lambda run: (run.id,),
    "parent": lambda run: (run.parent,),
    "host": lambda run: (run.status.host,),
    "reason": lambda run: (run.error or run.status.reason,),
}


def _loss(run: Summary, _: Facts) -> float | None:
    return None if run.status.loss is None else number(run.status.loss)


def _age(run: Summary, facts: Facts) -> float | None:
    return facts.now - run.created if run.created else None


NUMBERS: Mapping[str, Callable[[Summary, Facts], float | None]] = {
    "loss": _loss,
    "step": lambda run, _: run.status.step,
    "of": lambda run, _: run.status.of or None,
    "rate": lambda run, _: run.status.steps_per_second,
    "eta": lambda run, _: run.status.eta,
    "restarts": lambda run, _: run.status.restarts,
    "created": _age,
}
SPANS = frozenset({"created", "eta"})
"""Numbers that are spans of time."""
