"""A knob: one setting of a model, of the loop or of data, with its bounds and what text means.

Standard library and msgspec only, as in :mod:`backends.records`.
"""

import math
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field


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
    """Knobs of the same Config and the values, as written, under which this one has an effect; no
    values means any but 0 and no."""

    def applies(self, values: Mapping[str, object]) -> bool:
        """Whether this knob has an effect beside ``values`` of others, typed or as text."""
        return all(
            _is_one_of(values[name], wanted) for name, wanted in self.only.items() if name in values
        )

    @property
    def condition(self) -> str:
        """When it has an effect, as a phrase: "with augment=ada"; empty is always."""
        parts = [f"{name}={' or '.join(values)}" for name, values in self.only.items() if values]
        parts += [f"{name} other than 0" for name, values in self.only.items() if not values]
        return f"with {' and '.join(parts)}" if parts else ""

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
