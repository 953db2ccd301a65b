"""How a user likes the list of runs: order, groups and columns; remembered in a small file."""

from pathlib import Path

import msgspec
from msgspec import Struct

from backends.records import UNREADABLE
from genai_tui import settings
from genai_tui.atomic import write_atomic
from genai_tui.widgets.run_columns import COLUMNS, EVERY, Column
from genai_tui.widgets.run_order import GROUPINGS, NEWEST, SORTS, Grouping

MOST_BYTES = 1 << 16


class Look(Struct, frozen=True, kw_only=True):
    """The order, the headings and the columns of the list.

    Attributes:
        columns: names of the columns that are wanted; None for the usual ones.
    """

    sort: str = NEWEST
    backwards: bool = False
    grouping: Grouping = ""
    columns: tuple[str, ...] | None = None

    def wanted(self) -> list[Column]:
        """The columns in their order, whatever room there is."""
        if self.columns is None:
            return list(COLUMNS)
        return [column for column in EVERY if column.name in self.columns] or [COLUMNS[1]]

    def sorts(self) -> list[str]:
        """What the list can be sorted by: its age, then the columns that are wanted."""
        return [NEWEST, *(c.name for c in self.wanted() if c.name in SORTS and c.name != NEWEST)]

    def sorted_by(self, name: str) -> "Look":
        """By a column; what was sorted by it already is turned around."""
        backwards = not self.backwards if name == self.sort else False
        return msgspec.structs.replace(self, sort=name, backwards=backwards)

    def sorted_next(self) -> "Look":
        """By the next of the columns that are wanted; after the last, the newest first again."""
        names = self.sorts()
        place = names.index(self.sort) if self.sort in names else -1
        return msgspec.structs.replace(self, sort=names[(place + 1) % len(names)], backwards=False)

    def reversed(self) -> "Look":
        return msgspec.structs.replace(self, backwards=not self.backwards)

    def grouped_next(self) -> "Look":
        place = GROUPINGS.index(self.grouping)
        grouping = GROUPINGS[(place + 1) % len(GROUPINGS)]
        return msgspec.structs.replace(self, grouping=grouping)

    def with_columns(self, names: tuple[str, ...]) -> "Look":
        usual = tuple(column.name for column in COLUMNS)
        return msgspec.structs.replace(self, columns=None if names == usual else names)

    @property
    def phrase(self) -> str:
        """The order and the groups in a few words; empty for the usual ones."""
        parts = [f"by {self.grouping}" if self.grouping in ("model", "data") else self.grouping]
        if self.sort != NEWEST or self.backwards:
            what = "oldest first" if self.sort == NEWEST else f"sorted by {self.sort}"
            parts.append(what + (" backwards" if self.backwards and self.sort != NEWEST else ""))
        return " · ".join(part for part in parts if part)


def _file() -> Path:
    return settings.state_dir() / "runs.json"


def load() -> Look:
    """What the user liked last; the usual look where nothing can be read."""
    try:
        with _file().open("rb") as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=Look)
    except (OSError, *UNREADABLE):
        return Look()


def save(look: Look) -> None:
    """Remembers a look.

    Raises:
        OSError: it cannot be written.
    """
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(path, msgspec.json.encode(look))
