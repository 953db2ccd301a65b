"""Reads the knobs of a Config: a frozen, keyword-only dataclass of annotated fields.

A knob is declared once, beside its model::

    @dataclass(frozen=True, kw_only=True)
    class Config:
        latent: Annotated[int, "dimensions of the latent space", Bounds(2, 512)] = 32
        loss: Annotated[Literal["relativistic", "non_saturating"], "the two players' game"] = ...

and the form, ``--set``, ``run.json`` and the docs are read from it.
"""

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from backends.knob import LABELS, Knob, idle, written

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Inclusive range of a number; ``live`` knobs may change while a run trains."""

    low: float | None = None
    high: float | None = None
    unit: str = ""
    live: bool = False


@dataclass(frozen=True, slots=True, init=False)
class Only:
    """The knob has an effect only while ``knob`` of the same Config has one of ``values``.

    Without values: while it is neither 0 nor no. ``Only(LABELS)``: only on data with labels. Such a
    knob is not offered at other times, nor is one that hangs on it.
    """

    knob: str
    values: tuple[object, ...]

    def __init__(self, knob: str, *values: object) -> None:
        object.__setattr__(self, "knob", knob)
        object.__setattr__(self, "values", values)


class ConfigError(ValueError):
    """A knob that does not exist or cannot have that value; the message is one sentence."""


def knobs(config: type) -> list[Knob]:
    """The knobs of a Config in the order of their declaration."""
    hints = get_type_hints(config, include_extras=True)
    names = {entry.name for entry in fields(config)}
    return [_knob(entry, hints[entry.name], names) for entry in fields(config)]


def configure(config: type[C], values: Mapping[str, object], *, owner: str = "") -> C:
    """A ``config`` with ``values`` (typed or text) in place of its defaults.

    Raises:
        ConfigError: for an unknown knob (naming the nearest) or a value out of its bounds.
    """
    known = {knob.name: knob for knob in knobs(config)}
    return config(**{name: parse(known, name, value, owner) for name, value in values.items()})


def parse(known: Mapping[str, Knob], name: str, value: object, owner: str = "") -> Any:
    """``value`` as the knob ``name`` takes it."""
    if name not in known:
        raise ConfigError(unknown("knob", name, known, owner))
    try:
        return known[name].parse(value)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def check_effect(config: Any, given: Iterable[str], classes: int | None = None) -> None:
    """Refuses knobs that somebody gave and that change nothing beside the others of ``config``.

    Args:
        classes: of the data; None where that is not known yet.

    Raises:
        ConfigError: names the knob and when it would have an effect.
    """
    values = {entry.name: getattr(config, entry.name) for entry in fields(config)}
    values |= {} if classes is None else {LABELS: classes}
    without_effect = idle(knobs(type(config)), values)
    for name in given:
        if name in without_effect:
            raise ConfigError(f"{name} has an effect only {without_effect[name]}: leave it out")


def unknown(what: str, name: str, known: Mapping[str, object] | list[str], owner: str = "") -> str:
    """One sentence for a name that nothing bears, with the nearest names that exist."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.4) or sorted(known)[:8]
    of = f" of {owner}" if owner else ""
    hint = f"did you mean {', '.join(near)}?" if near else "there is none"
    return f"unknown {what}{of}: {name!r}; {hint}"


def _knob(entry: Field[Any], hint: Any, names: set[str]) -> Knob:
    """``names`` are those of the Config: what it fixes (a ClassVar) is no condition."""
    inner, notes = _unwrap(hint)
    inner, optional = _without_none(inner)
    bounds = next((note for note in notes if isinstance(note, Bounds)), Bounds())
    default = None if entry.default is MISSING else entry.default
    choices = [str(choice) for choice in get_args(inner)] if get_origin(inner) is Literal else []
    if not choices and inner not in _KINDS:
        raise ConfigError(f"the knob {entry.name} cannot be a {inner}: use int, float, bool or str")
    return Knob(
        name=entry.name,
        kind="choice" if choices else _KINDS[inner],
        default=default,
        help=next((note for note in notes if isinstance(note, str)), ""),
        low=bounds.low,
        high=bounds.high,
        choices=choices,
        unit=bounds.unit,
        live=bounds.live,
        optional=optional,
        only={
            note.knob: [written(value) for value in note.values]
            for note in notes
            if isinstance(note, Only) and note.knob in {*names, LABELS}
        },
    )


_KINDS: dict[Any, Literal["int", "float", "bool", "text"]] = {
    int: "int",
    float: "float",
    bool: "bool",
    str: "text",
}


def _unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        return inner, tuple(notes)
    return hint, ()


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        return next(arg for arg in get_args(hint) if arg is not type(None)), True
    return hint, False
