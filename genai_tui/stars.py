"""Samples that a user wants to find again: stars and notes, in a small file of the run's folder.

``stars.json`` names each sample step, or one sample of it, by its path in the run's folder. It is
the user's, not the training's: a run goes on and is read without it.
"""

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


class Keepsake(msgspec.Struct, frozen=True):
    """What a user thinks of a sample."""

    starred: bool = False
    note: str = ""


class Stars(msgspec.Struct, frozen=True):
    """``stars.json``."""

    samples: dict[str, Keepsake] = {}
    format: int = FORMAT


def read(run: Path) -> dict[str, Keepsake]:
    """Keepsakes by the path of their sample; none where there is no file that can be read."""
    try:
        return _read(run / FILE).samples
    except (OSError, RunError):
        return {}


def put(run: Path, relative: str, keepsake: Keepsake) -> dict[str, Keepsake]:
    """Keeps one in place of what was kept of that sample; all keepsakes of the run.

    Raises:
        RunError: the file there is damaged or of a newer format, and is not overwritten.
        OSError: the folder cannot be written.
    """
    try:
        samples = dict(_read(run / FILE).samples)
    except FileNotFoundError:
        samples = {}
    if keepsake == Keepsake():
        samples.pop(relative, None)
    else:
        samples[relative] = keepsake
    write_atomic(run / FILE, msgspec.json.format(msgspec.json.encode(Stars(samples))))
    return samples


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
