"""How a user looks at the charts of a model: their order, what is hidden, how each is drawn.

It is remembered in a small file. Charts are known by the name of their group, so that every run of
the model looks alike.
"""

import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from genai_tui import settings
from genai_tui.atomic import write_atomic

MOST_NAMES = 1000
LONGEST_FILE = 1 << 20
STRONGEST = 0.99


class Arrangement(Struct, frozen=True, kw_only=True):
    """Names in their order; one that no run has is kept for the run that has it again.

    `log` names the charts with a logarithmic axis, `unfolded` those with the whole legend;
    `smoothing` is a weight in [0, 0.99], None for the one of the settings.
    """

    pinned: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    unfolded: tuple[str, ...] = ()
    smoothing: float | None = None

    def arranged(self, names: Sequence[str]) -> list[str]:
        """``names``, given in the order in which they tell, as the user wants to see them.

        What is new stands behind its neighbour in the given order; pinned ones come first.
        """
        known = set(names)
        found = [name for name in self.order if name in known]
        placed = set(found)
        for index, name in enumerate(names):
            if name not in placed:
                found.insert(found.index(names[index - 1]) + 1 if index else 0, name)
                placed.add(name)
        pinned = [name for name in self.pinned if name in known]
        return pinned + [name for name in found if name not in self.pinned]

    def pin(self, name: str) -> "Arrangement":
        """Pins a chart before the others, or lets it go."""
        return msgspec.structs.replace(self, pinned=_toggled(self.pinned, name))

    def hide(self, name: str) -> "Arrangement":
        """Hides a chart, or shows it again."""
        return msgspec.structs.replace(self, hidden=_toggled(self.hidden, name))

    def scale(self, *names: str) -> "Arrangement":
        """A logarithmic axis for these charts, or, where all of them have one, for none."""
        kept = tuple(each for each in self.log if each not in names)
        added = () if set(names) <= set(self.log) else names
        return msgspec.structs.replace(self, log=(*kept, *added)[-MOST_NAMES:])

    def unfold(self, name: str) -> "Arrangement":
        """The whole legend of a chart, or its line alone."""
        return msgspec.structs.replace(self, unfolded=_toggled(self.unfolded, name))

    def smooth(self, weight: float | None) -> "Arrangement":
        """Another smoothing."""
        return msgspec.structs.replace(self, smoothing=weight)

    def move(self, names: Sequence[str], shown: Sequence[str], name: str, by: int) -> "Arrangement":
        """Moves a chart so many places on among its like of those ``shown``; ``names`` has all."""
        alike = [each for each in shown if (each in self.pinned) == (name in self.pinned)]
        there = alike.index(name) + by
        if not 0 <= there < len(alike):
            return self
        order = _moved(names, name, alike[there], by)
        order += [each for each in self.order if each not in names]
        pinned = [each for each in order if each in self.pinned]
        pinned += [each for each in self.pinned if each not in order]
        return msgspec.structs.replace(self, order=tuple(order), pinned=tuple(pinned))


def _toggled(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    if name in names:
        return tuple(each for each in names if each != name)
    return (*names, name)[-MOST_NAMES:]


def _moved(names: Sequence[str], name: str, beside: str, by: int) -> list[str]:
    """``name`` taken out and put before or behind ``beside``."""
    rest = [each for each in names if each != name]
    rest.insert(rest.index(beside) + (by > 0), name)
    return rest


def file_of(model: str) -> Path:
    """Where the arrangement of a model is kept; a name from anywhere stays inside the folder."""
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", model)[:60].strip("-")
    return settings.state_dir() / "charts" / f"{readable}-{zlib.crc32(model.encode()):08x}.json"


def load(model: str) -> Arrangement:
    """The arrangement of a model; none if there is none or if its file is damaged."""
    try:
        with file_of(model).open("rb") as file:
            found = msgspec.json.decode(file.read(LONGEST_FILE), type=Arrangement)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Arrangement()
    known = found.smoothing is None or 0 <= found.smoothing <= STRONGEST
    return found if known else found.smooth(None)


def save(model: str, arrangement: Arrangement) -> None:
    """Remembers an arrangement.

    Raises:
        OSError: it cannot be written.
    """
    path = file_of(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, msgspec.json.encode(arrangement))
