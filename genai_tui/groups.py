"""Which scalars share a chart, and in which order the charts stand.

A key is ``who/what`` or ``what/part``. A prefix that names *who* has the value groups by what
follows it, so that ``G/loss``, ``D/loss``, ``loss`` and ``validation/loss`` share the chart
"loss": networks are written with a capital as in papers, splits of the data are known by name,
and what counts instead of learning begins with a digit, as ``4-gram/loss``.
Any other prefix is *what* is measured in parts: ``loss_t/0.00-0.25`` is in the chart "loss_t".
"""

from collections.abc import Iterable
from dataclasses import dataclass

SPLITS = frozenset({"train", "validation", "test", "ema"})

_LAST = ("grad_norm", "lr")


@dataclass(frozen=True, slots=True)
class Group:
    """A chart's title, and the keys of its lines in the order in which they were first logged.

    `spread` is the name of the histograms that it shows instead of lines.
    """

    name: str
    keys: tuple[str, ...]
    spread: str = ""


def group_of(key: str) -> str:
    """The chart that a key belongs to."""
    prefix, slash, rest = key.partition("/")
    if not slash:
        return key
    return group_of(rest) if _is_who(prefix) else prefix


def _is_who(prefix: str) -> bool:
    return prefix in SPLITS or prefix[:1].isupper() or prefix[:1].isdecimal()


def short_names(group: Group) -> list[str]:
    """Names of a group's lines beside its title: "G", "D" and "validation" in the chart "loss"."""
    if len(group.keys) == 1:
        return list(group.keys)
    return [_short(key, group.name) for key in group.keys]


def _short(key: str, name: str) -> str:
    if key == name:
        return "train"
    return key.removesuffix(f"/{name}").removeprefix(f"{name}/")


def grouped(values: Iterable[str], rates: Iterable[str]) -> list[Group]:
    """The charts: the loss, other terms of the model, gradient norm, learning rate, rates."""
    found: dict[tuple[int, str], list[str]] = {}
    for key in values:
        name = group_of(key)
        found.setdefault((_rank(name), name), []).append(key)
    taken = {key for keys in found.values() for key in keys}
    for key in rates:
        if key not in taken:
            found.setdefault((len(_LAST) + 2, group_of(key)), []).append(key)
    ordered = sorted(found.items(), key=lambda item: item[0][0])
    return [Group(name, tuple(keys)) for (_, name), keys in ordered]


def _rank(name: str) -> int:
    if name == "loss":
        return 0
    return _LAST.index(name) + 2 if name in _LAST else 1


def spread_groups(names: Iterable[str]) -> list[Group]:
    """The charts of histograms. No chart of lines has a slash in its name: none is mistaken."""
    return [Group(name if "/" in name else f"histogram/{name}", (), name) for name in names]
