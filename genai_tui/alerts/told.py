"""Which alerts of a run its user has been told, in a small file of the run's folder: none twice."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from backends.records import UNREADABLE
from genai_tui.atomic import write_atomic
from genai_tui.regular import opened

FILE = "alerts.json"
FORMAT = 1
MOST, MOST_BYTES = 500, 1 << 16


class Told(Struct, frozen=True, kw_only=True):
    """Names of alerts, oldest first."""

    ids: tuple[str, ...] = ()
    format: int = FORMAT


_decode = msgspec.json.Decoder(Told).decode


def read(run: Path) -> frozenset[str]:
    """The names in a run's folder; none where there is no file that can be read."""
    return frozenset(_read(run).ids)


def add(run: Path, ids: Iterable[str]) -> None:
    """Remembers more names; the oldest go when there are very many.

    Raises:
        OSError: the folder cannot be written.
    """
    names = tuple(dict.fromkeys([*_read(run).ids, *ids]))[-MOST:]
    write_atomic(run / FILE, msgspec.json.format(msgspec.json.encode(Told(ids=names))))


def _read(run: Path) -> Told:
    try:
        with opened(run / FILE) as file:
            found = _decode(file.read(MOST_BYTES))
    except (OSError, *UNREADABLE):
        return Told()
    return found if found.format <= FORMAT else Told()
