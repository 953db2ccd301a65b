"""The little language that finds runs: ``model:gan state:running loss<0.3 -tag:night or lr>1e-3``.

Words must occur in what a list shows of a run; ``field:text`` looks into one field, and a number
or a knob is compared. All terms must hold, ``-`` negates one, ``or`` begins another set of terms,
quotes keep spaces together. What is half typed never fails: it is left out, with a sentence.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from backends.records import State
from genai_tui.run import Summary
from genai_tui.run_terms import (
    NUMBERS,
    ORDER,
    SPANS,
    TEXTS,
    Dated,
    Facts,
    Knob,
    Not,
    Number,
    Term,
    Text,
    Word,
    parse_number,
)
from genai_tui.visible import visible

STATES = ("queued", *get_args(State), "interrupted", "broken")
DURATIONS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_TOKEN = re.compile(r'(?:"[^"]*"?|[^\s"])+')
_TERM = re.compile(r"([A-Za-z_][\w.]*)(<=|>=|!=|[<>=:])(.*)", re.DOTALL)
_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)([smhdw])", re.IGNORECASE)


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
    if equal in ORDER and parse_number(text) is None:
        raise QueryError(f"{written} needs a number, as in {name}{operator}0.5")
    return Knob(name, equal, text)


def _text(field: str, operator: str, text: str, written: str) -> Term:
    if operator in ORDER:
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
    limit = parse_number(text)
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


def _date(text: str) -> float | None:
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d"))
    except (ValueError, OverflowError):
        return None


def _unquoted(text: str) -> str:
    return text.replace('"', "").casefold()


def _knobs(term: Term) -> Iterator[str]:
    if isinstance(term, Not):
        yield from _knobs(term.term)
    elif isinstance(term, Knob):
        yield term.name
