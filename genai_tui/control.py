"""Commands on their way to a worker: one JSON file each, taken in order at a step's end."""

import getpass
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from backends import records
from backends.records import Command, SampleRequest, Verb
from genai_tui.regular import opened


def put(
    folder: Path,
    verb: Verb,
    *,
    request: SampleRequest | None = None,
    knob: str = "",
    value: int | float | bool | str | None = None,
) -> Command:
    """Writes a command that a worker will find whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    command = Command(
        id=uuid.uuid4().hex[:12],
        verb=verb,
        t=time.time(),
        by=_user(),
        request=request,
        knob=knob,
        value=value,
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    hidden = folder / f".{command.id}"
    with open(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(records.encode(command))
    # Zero-padded nanoseconds sort as text; the id keeps two commands of one instant apart.
    os.replace(hidden, folder / f"{_turn(folder):020d}-{command.id}.json")
    return command


def _turn(folder: Path) -> int:
    """The time in nanoseconds, but after all that wait: the clock may have been set back."""
    waiting = [name.partition("-")[0] for name in _waiting(folder)]
    return max(time.time_ns(), *(int(turn) + 1 for turn in waiting if _is_turn(turn)), 0)


def _is_turn(text: str) -> bool:
    return len(text) == 20 and text.isascii() and text.isdecimal()


def take(folder: Path) -> Iterator[Command | str]:
    """Takes all commands away, oldest first; a file that is no command comes as its name."""
    for name in _waiting(folder):
        path = folder / name
        try:
            data = _content(path)
            path.unlink()
        except FileNotFoundError:
            continue
        try:
            yield records.decode_command(data)
        except records.UNREADABLE:
            yield name


def clear(folder: Path) -> None:
    """Forgets commands that nobody took."""
    for _ in take(folder):
        pass


def _content(path: Path) -> bytes:
    """What a file says; nothing if it may not be read, as where root has left it."""
    try:
        with opened(path) as file:
            return file.read(1 << 16)
    except FileNotFoundError:
        raise
    except OSError:
        return b""


def _waiting(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith(".json") and not name.startswith("."))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
