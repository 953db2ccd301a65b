"""What data sets there are: the files of this room, and what other packages add."""

from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from backends.data import Dataset
from backends.data_error import DataError
from backends.knobs import unknown
from backends.records import Modality

_GROUP = "genai_tui.datasets"
_PARTS = ("MODALITY", "EMBEDDED", "NEEDS_PATH", "Config", "load")
_BROKEN = (
    *(ImportError, AttributeError, NameError, SyntaxError, TypeError, ValueError),
    *(LookupError, OSError, RuntimeError),
)  # what importing somebody else's module may raise


class Entry(Protocol):
    """A module of this room; the first line of its docstring is its caption."""

    MODALITY: Modality
    EMBEDDED: bool
    NEEDS_PATH: bool
    Config: type[Any]

    def load(self, config: Any, path: Path | None, validation: float) -> Dataset: ...

    def fits(self, path: Path) -> bool:
        """Whether ``path`` is of this kind; only entries that need a path have this."""
        ...


def names() -> list[str]:
    """Names of all entries, sorted. Nothing is imported."""
    return sorted({*own(), *_added()})


@cache
def own() -> tuple[str, ...]:
    """Names of the entries in this room: its files, with "-" for "_"."""
    files = Path(__file__).parent.glob("*.py")
    return tuple(sorted(f.stem.replace("_", "-") for f in files if not f.stem.startswith("_")))


def entry(name: str) -> Entry:
    """The module of one entry; the room's own come first.

    Raises:
        DataError: if there is none of that name, or it cannot be imported or lacks a part.
    """
    if name not in names():
        raise DataError(unknown("data set", name, names()))
    try:
        module = _module(name)
    except _BROKEN as error:
        raise DataError(f"the data set {name} cannot be imported: {error}") from error
    lacking = [part for part in _PARTS if not hasattr(module, part)]
    if lacking:
        raise DataError(f"the data set {name} cannot be used: it lacks {', '.join(lacking)}")
    return module


def kinds() -> dict[str, Entry]:
    """The entries that can tell their kind of path, by name; broken ones are left out."""
    found = {}
    for name in names():
        with suppress(DataError):
            found[name] = entry(name)
    return {name: kind for name, kind in found.items() if hasattr(kind, "fits")}


def _module(name: str) -> Any:
    if name in own():
        return import_module(f"backends.datasets.{name.replace('-', '_')}")
    return _added()[name].load()


def _added() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}
