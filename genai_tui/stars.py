"""Samples that a user wants to find again: stars and notes, in a small file of the run's folder.

``stars.json`` names each sample step, or one sample of it, by its path in the run's folder:
``samples/step-000100``, ``samples/step-000100/003``. It is the user's, not the training's: a run
goes on and is read without it.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from backends.records import FORMAT, UNREADABLE
from genai_tui.atomic import write_atomic
from genai_tui.regular import opened
from genai_tui.run import RunError

FILE = "stars.json"
MOST_BYTES = 1 << 22
LONGEST_NOTE = 1000
"""Characters of a note."""
LONGEST_NUMBER = 9
"""Digits of a sample's number."""
_WRITING = threading.Lock()
"""Two stars in a row are two threads, and each writes what it has read."""


class Keepsake(msgspec.Struct, frozen=True):
    """What a user thinks of a sample."""

    starred: bool = False
    note: str = ""


class Stars(msgspec.Struct, frozen=True):
    """``stars.json``; what is no keepsake among its entries stays as it is."""

    samples: dict[str, msgspec.Raw] = {}
    format: int = FORMAT


def name_of(relative: str, tile: int | None = None) -> str:
    """How the samples in a folder of the run are called, or one of them by its number."""
    return relative if tile is None else f"{relative}/{tile:03d}"


def samples_of(name: str) -> tuple[str, int | None]:
    """The folder that a name means, and the number of the sample; None is all of them."""
    folder, _, tile = name.rpartition("/")
    if "/" in folder and tile.isascii() and tile.isdecimal() and len(tile) <= LONGEST_NUMBER:
        return folder, int(tile)
    return name, None


def read(run: Path) -> dict[str, Keepsake]:
    """Keepsakes by the path of their sample; none where there is no file that can be read."""
    try:
        return _keepsakes(_read(run / FILE))
    except (OSError, RunError):
        return {}


def put(run: Path, name: str, keepsake: Keepsake) -> dict[str, Keepsake]:
    """Keeps one in place of what was kept of that sample; see `change`."""
    return change(run, name, lambda before: keepsake)


def change(run: Path, name: str, become: Callable[[Keepsake], Keepsake]) -> dict[str, Keepsake]:
    """Keeps what becomes of what was kept of a sample; all keepsakes of the run.

    Raises:
        RunError: the file there is damaged, full or of a newer format, and is not overwritten.
        OSError: the folder cannot be written.
    """
    with _WRITING:
        try:
            stars = _read(run / FILE)
        except FileNotFoundError:
            stars = Stars()
        entries = dict(stars.samples)
        keepsake = become(_keepsakes(stars).get(name, Keepsake()))
        if keepsake == Keepsake():
            entries.pop(name, None)
        else:
            entries[name] = msgspec.Raw(msgspec.json.encode(keepsake))
        _write(run / FILE, Stars(entries))
    return _keepsakes(Stars(entries))


def _write(path: Path, stars: Stars) -> None:
    data = msgspec.json.format(msgspec.json.encode(stars))
    if len(data) > MOST_BYTES:
        raise RunError(f"{path} is full: take stars or notes away first")
    write_atomic(path, data)


def _keepsakes(stars: Stars) -> dict[str, Keepsake]:
    found = {key: _keepsake(entry) for key, entry in stars.samples.items()}
    return {key: keepsake for key, keepsake in found.items() if keepsake is not None}


def _keepsake(entry: msgspec.Raw) -> Keepsake | None:
    try:
        return _decode_one(entry)
    except UNREADABLE:
        return None


def _read(path: Path) -> Stars:
    if path.exists() and not path.is_file():  # a pipe would never end
        raise RunError(f"{path} is no file; move it away to star anew")
    with opened(path) as file:
        data = file.read(MOST_BYTES)
    try:
        stars = _decode(data)
    except UNREADABLE as error:
        raise RunError(f"{path} is damaged: {error}; move it away to star anew") from None
    if stars.format > FORMAT:
        raise RunError(f"{path} was written by a newer genai-tui: upgrade genai-tui")
    return stars


_decode = msgspec.json.Decoder(Stars).decode
_decode_one = msgspec.json.Decoder(Keepsake).decode
