"""A knob: one setting of a model, of the loop or of data, with its bounds and what text means.

Standard library and msgspec only, as in :mod:`backends.records`.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct, field

LABELS = "labels of the data"
"""A condition in ``Knob.only`` that no knob is: how many classes the data has."""


class Knob(Struct, frozen=True, kw_only=True):
    """One setting of a model or of the loop, as the form, ``--set`` and the docs show it."""

    name: str
    kind: Literal["int", "float", "bool", "choice", "text"]
    default: int | float | bool | str | None
    help: str = ""
    low: float | None = None
    high: float | None = None
    choices: list[str] = field(default_factory=list)
    unit: str = ""
    live: bool = False  # may change while the run trains (the command ``set``)
    optional: bool = False  # None is a value, written "none"
    only: dict[str, list[str]] = field(default_factory=dict)
    """Knobs of the same Config, or LABELS, and the values, as written, under which this one has an
    effect; no values means any but 0 and no."""

    def applies(self, values: Mapping[str, object]) -> bool:
        """Whether this knob has an effect beside ``values`` of others, typed or as text.

        What is not among ``values`` is no obstacle. See :func:`idle` for conditions of conditions.
        """
        return all(
            _is_one_of(values[name], wanted) for name, wanted in self.only.items() if name in values
        )

    @property
    def condition(self) -> str:
        """When it has an effect, as a phrase: "with augment=ada"; empty is always."""
        only = {name: values for name, values in self.only.items() if name != LABELS}
        parts = [f"{name}={' or '.join(values)}" for name, values in only.items() if values]
        parts += [f"{name} other than 0" for name, values in only.items() if not values]
        phrases = ["on data with labels"] if LABELS in self.only else []
        phrases += [f"with {' and '.join(parts)}"] if parts else []
        return ", ".join(phrases)

    @property
    def bounds(self) -> str:
        """The allowed values as a phrase: "1 to 512", "adam or adamw", "yes or no"."""
        if self.kind == "choice":
            return " or ".join(self.choices)
        if self.kind == "bool":
            return "yes or no"
        if self.kind == "text":
            return "text"
        what = "a whole number" if self.kind == "int" else "a number"
        low, high = self.low, self.high
        if low is None:
            return what if high is None else f"{what}, at most {plain(high)}"
        if high is None:
            return f"{what}, {plain(low)} or more"
        return f"{what} from {plain(low)} to {plain(high)}"

    def parse(self, text: object) -> int | float | bool | str | None:
        """The value that ``text`` means.

        Raises:
            ValueError: one sentence that names the knob, what was given and what is allowed.
        """
        if self.optional and (text is None or str(text).strip().lower() in ("none", "")):
            return None
        value = _PARSERS[self.kind](str(text).strip(), self)
        if value is None or (self.kind in ("int", "float") and not self._inside(float(value))):
            raise ValueError(f"{self.name} must be {self.bounds}, not {str(text)!r}")
        return value

    def _inside(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def idle(knobs: Iterable[Knob], values: Mapping[str, object]) -> dict[str, str]:
    """The knobs without an effect beside ``values``, by name, and when each would have one.

    A knob that hangs on an idle one is idle for the same reason.
    """
    found: dict[str, str] = {}
    left = list(knobs)
    while True:
        more = {knob.name: reason for knob in left if (reason := _obstacle(knob, values, found))}
        if not more:
            return found
        found |= more
        left = [knob for knob in left if knob.name not in found]


def _obstacle(knob: Knob, values: Mapping[str, object], found: Mapping[str, str]) -> str:
    if not knob.applies(values):
        return knob.condition
    return next((found[name] for name in knob.only if name in found), "")


def written(value: object) -> str:
    """A knob's value as a user would type it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def _is_one_of(value: object, wanted: list[str]) -> bool:
    text = written(value).strip()
    if wanted:
        return text in wanted
    try:
        return float(text) != 0
    except ValueError:
        return text.lower() not in ("no", "none", "")


def plain(value: float) -> str:
    """A bound as people write it: "1,000,000", "0.05"."""
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _parse_int(text: str, _: Knob) -> int | None:
    try:
        value = float(text.replace("_", ""))
        if not math.isfinite(value) or value != int(value):
            return None
        return int(value) if set(text) & set(".eE") else int(text)  # a float keeps 16 digits
    except ValueError:
        return None


def _parse_float(text: str, _: Knob) -> float | None:
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return None


def _parse_bool(text: str, _: Knob) -> bool | None:
    words = {"yes": True, "true": True, "on": True, "1": True}
    words |= {"no": False, "false": False, "off": False, "0": False}
    return words.get(text.lower())


def _parse_choice(text: str, knob: Knob) -> str | None:
    return text if text in knob.choices else None


def _parse_text(text: str, _: Knob) -> str | None:
    return text


_PARSERS = {
    "int": _parse_int,
    "float": _parse_float,
    "bool": _parse_bool,
    "choice": _parse_choice,
    "text": _parse_text,
}
