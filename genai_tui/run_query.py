"""The little language that finds runs: ``model:gan state:running loss<0.3 -tag:night or lr>1e-3``.

Words must occur in what a list shows of a run; ``field:text`` looks into one field, and a number
or a knob is compared. All terms must hold, ``-`` negates one, ``or`` begins another set of terms,
quotes keep spaces together. What is half typed never fails: it is left out, with a sentence.
"""

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, get_args

from backends.records import State, number
from genai_tui.run import Summary
from genai_tui.visible import visible

Value = int | float | bool | str | None
KnobOf = Callable[[str, str], Value]
"""The value of a knob by a run's id and the knob's name.

Raises KeyError where the run has no such knob.
"""

STATES = ("queued", *get_args(State), "interrupted", "broken")
DURATIONS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MULTIPLES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}

_TOKEN = re.compile(r'(?:"[^"]*"?|[^\s"])+')
_TERM = re.compile(r"([A-Za-z_][\w.]*)(<=|>=|!=|[<>=:])(.*)", re.DOTALL)
_NUMBER = re.compile(r"([+-]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kmg]?)", re.IGNORECASE)
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)([smhdw])", re.IGNORECASE)
_ORDER: dict[str, Callable[[float, float], bool]] = {
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
class Query:
    """What was typed, understood.

    Attributes:
        either: sets of terms; a run is found if all terms of one set hold. Empty finds every run.
        problems: a sentence for each term that means nothing, which is left out.
        knobs: names of the knobs that have to be known to answer it.
    """

    either: tuple[tuple[Term, ...], ...] = ()
    problems: tuple[str, ...] = ()
    knobs: frozenset[str] = frozenset()

    def holds(self, run: Summary, facts: Facts) -> bool:
        """Whether the run is one of those that are meant."""
        if not self.either:
            return True
        return any(all(term.holds(run, facts) for term in terms) for terms in self.either)


def parse(text: str) -> Query:
    """Understands what was typed, as far as it means something; never raises."""
    either: list[list[Term]] = [[]]
    problems: list[str] = []
    knobs: set[str] = set()
    for token in _TOKEN.findall(text):
        if token.lower() == "or":
            either.append([])
            continue
        try:
            term = _negatable(token)
        except QueryError as error:
            problems.append(str(error))
            continue
        if term is not None:
            either[-1].append(term)
            knobs.update(_knobs(term))
    return Query(tuple(tuple(one) for one in either if one), tuple(problems), frozenset(knobs))


class QueryError(ValueError):
    """A term that means nothing; the message is one sentence."""


# --------------------------------------------------------------------------- terms


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
        wanted = _number(self.text)
        if isinstance(found, int | float) and not isinstance(found, bool) and wanted is not None:
            return _compared(float(found), self.operator, wanted)
        same = self.text.casefold() in _words_of(found)
        return (self.operator == "=" and same) or (self.operator == "!=" and not same)


def _compared(found: float, operator: str, limit: float) -> bool:
    if operator in _ORDER:
        return _ORDER[operator](found, limit)
    same = (math.isnan(found) and math.isnan(limit)) or math.isclose(found, limit, rel_tol=1e-9)
    return same == (operator == "=")


def _words_of(value: Value) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ("yes", "true", "on") if value else ("no", "false", "off")
    return ("none",) if value is None else (str(value).casefold(),)


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


# --------------------------------------------------------------------------- understanding


def _negatable(token: str) -> Term | None:
    """The term of a token; None for one that has only been begun."""
    negated = token.startswith("-")
    body = token[1:] if negated else token
    found = _TERM.fullmatch(body)
    term = _condition(*found.groups()) if found else _word(body)
    return Not(term) if negated and term is not None else term


def _word(body: str) -> Term | None:
    text = _unquoted(body)
    return Word(text) if text else None


def _condition(name: str, operator: str, raw: str) -> Term:
    field, text = name.lower(), _unquoted(raw)
    written = visible(f"{name}{operator}{raw}", limit=40)
    if field == "state":
        _check_state(text)
    if field in TEXTS:
        return _text(field, operator, text, written)
    equal = "=" if operator == ":" else operator
    if field in NUMBERS:
        return _measure(field, equal, text, written)
    if not text:
        raise QueryError(f"{written} needs a value, as in {name}{operator}1")
    if equal in _ORDER and _number(text) is None:
        raise QueryError(f"{written} needs a number, as in {name}{operator}0.5")
    return Knob(name, equal, text)


def _text(field: str, operator: str, text: str, written: str) -> Term:
    if operator in _ORDER:
        raise QueryError(f"{written} cannot be compared: {field} is a text, as in {field}:…")
    if not text:
        raise QueryError(f"{written} needs a text, as in {field}:{_EXAMPLES.get(field, 'night')}")
    term = Text(field, text, operator != ":")
    return Not(term) if operator == "!=" else term


_EXAMPLES = {"model": "gan", "data": "fashion", "state": "running", "id": "2026", "host": "box"}


def _check_state(text: str) -> None:
    if text and not any(text in state for state in STATES):
        known = ", ".join(STATES)
        raise QueryError(f"there is no state {visible(text, limit=20)}; there are {known}")


def _measure(field: str, operator: str, text: str, written: str) -> Term:
    if field in SPANS:
        return _span(field, operator, text, written)
    limit = _number(text)
    if limit is None:
        example = "0.3" if field == "loss" else "1000"
        raise QueryError(f"{written} needs a number, as in {field}{operator}{example}")
    return Number(field, operator, limit)


def _span(field: str, operator: str, text: str, written: str) -> Term:
    date = _date(text) if field == "created" else None
    if date is not None:
        return Dated(operator, date)
    found = _DURATION.fullmatch(text)
    if found is None:
        example = "created>2d or created>2026-11-20" if field == "created" else "eta<30m"
        raise QueryError(f"{written} needs a time (s, m, h, d or w), as in {example}")
    return Number(field, operator, float(found[1]) * DURATIONS[found[2].lower()])


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


def _date(text: str) -> float | None:
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d"))
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    """ "0.3", "1e-3", "1,000", "10k" or "nan"."""
    if text.lower() in ("nan", "inf"):
        return float(text)
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    return float(re.sub("[,_]", "", found[1])) * MULTIPLES[found[2].lower()]


def _unquoted(text: str) -> str:
    return text.replace('"', "").casefold()


def _knobs(term: Term) -> Iterator[str]:
    if isinstance(term, Not):
        yield from _knobs(term.term)
    elif isinstance(term, Knob):
        yield term.name
