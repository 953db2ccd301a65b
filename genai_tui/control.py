"""Commands on their way to a worker: one JSON file each, taken in order at a step's end."""

import getpass
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from backends import records
from backends.records import Command, SampleRequest, Verb
from genai_tui.regular import opened
from genai_tui.visible import visible

LONGEST_ID = 40
"""Characters of a foreign id that a sentence quotes."""


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
    """Whether a name begins as ours do: after the last turn of all nobody could have another."""
    return len(text) == 20 and text.isascii() and text.isdecimal() and text.startswith("0")


class Inbox:
    """The commands of a folder, for one attempt: each once, however many files say it.

    ``complain`` is told in one sentence of each file that is not carried out.
    """

    def __init__(self, folder: Path, complain: Callable[[str], None]) -> None:
        self._folder, self._complain = folder, complain
        self._taken: set[str] = set()

    def take(self) -> Iterator[Command]:
        """Takes away what has come since the last look, oldest first."""
        for found in take(self._folder):
            if isinstance(found, str):
                self._complain(f"{visible(found)} in the control folder is no command")
            elif found.id in self._taken:
                name = visible(found.id, limit=LONGEST_ID)
                self._complain(f"command {name} came again: it is carried out once")
            else:
                self._taken.add(found.id)
                yield found


def take(folder: Path) -> Iterator[Command | str]:
    """Takes all commands away, oldest first; a file that is no command comes as its name.

    What cannot be taken away is left alone: it would be carried out at every look.
    """
    for name in _waiting(folder):
        path = folder / name
        try:
            data = _content(path)
            path.unlink()
        except OSError:
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
    except OSError:  # it is not there yet, or no folder that can be read
        return []
    return sorted(name for name in names if name.endswith(".json") and not name.startswith("."))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
