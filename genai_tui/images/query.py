"""Asking what draws the picture: the terminal by escape sequences, tmux by its own command.

Nothing here raises or eats a key: what cannot be learnt is empty, what was typed is handed back.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
import tty

from msgspec import Struct

CellSize = tuple[int, int]
"""Pixels of a cell: width, height."""

# Name and version, size of a cell, colour registers, and last what every terminal answers: its
# device attributes.
_QUESTIONS = b"\x1b[>0q\x1b[16t\x1b[?1;1;0S\x1b[c"
_NAME = re.compile(rb"\x1bP>\|([^\x1b\x07]*)(?:\x1b\\|\x07)")
_CELL = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_REGISTERS = re.compile(rb"\x1b\[\?1;0;(\d{1,6})S")
_NO_REGISTERS = re.compile(rb"\x1b\[\?1;[1-9][\d;]*S")
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
UNFINISHED = re.compile(rb"\x1b(?:P>\|[^\x1b\x07]*\x1b?|\[\?[\d;]*|\[6;[\d;]*)\Z")
"""The beginning of an answer, at the end of what has come."""
ANSWERS = (_NAME, _CELL, _REGISTERS, _NO_REGISTERS, _ATTRIBUTES)
"""All that a terminal may say when it is asked. No key looks like one of these."""
_SIXEL = b"4"
"""The device attribute of a terminal that draws sixels."""

_TMUX_FORMAT = "|".join(
    "#{%s}" % name  # noqa: UP031 - braces are tmux's own
    for name in (
        "allow-passthrough",
        "client_termtype",
        "client_termname",
        "client_termfeatures",
        "client_cell_width",
        "client_cell_height",
        "client_utf8",
        "version",
        "focus-events",
    )
)
_TMUX_TRIES = 3
_TMUX_PAUSE = 0.1


class Terminal(Struct, frozen=True):
    """What the terminal itself said."""

    answered: bool = False
    name: str = ""
    """As it calls itself, with its version: "kitty(0.41.1)"."""
    cell: CellSize | None = None
    sixel: bool = False
    registers: int | None = None
    """Colours that a sixel picture may have, if the terminal says so."""
    typed: str = ""
    """Keys that arrived meanwhile."""


class Tmux(Struct, frozen=True):
    """What tmux knows of the terminal its client runs in."""

    passthrough: bool = False
    name: str = ""
    term: str = ""
    features: frozenset[str] = frozenset()
    cell: CellSize | None = None
    utf8: bool = True
    focus: bool = True
    """Whether it tells applications of focus, which a client that attaches brings."""


def ask_terminal(timeout: float) -> Terminal:
    """Ask the terminal on stdin and stdout, all in one batch; takes at most `timeout` seconds."""
    try:
        keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
        if _is_in_background(keyboard):  # changing the terminal would stop the process
            return Terminal()
        before = termios.tcgetattr(keyboard)
        try:
            tty.setcbreak(keyboard, termios.TCSANOW)
            os.write(screen, _QUESTIONS)
            answer = _read_until_attributes(keyboard, time.monotonic() + timeout)
        finally:
            termios.tcsetattr(keyboard, termios.TCSANOW, before)  # keeps what is unread
    except (OSError, ValueError, termios.error):
        return Terminal()
    return _understand(answer)


def window_cell_size() -> CellSize | None:
    """The size of a cell as the kernel was told it with the window's size, if it was."""
    try:
        size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
    except (OSError, ValueError):
        return None
    rows, columns, width, height = struct.unpack("HHHH", size)
    return _cell(width // columns, height // rows) if columns and rows else None


def ask_tmux(timeout: float) -> Tmux | None:
    """Ask tmux about its client; None if there is no tmux or nobody is attached.

    tmux learns the terminal's name a moment after a client attaches, hence up to three tries.
    """
    deadline = time.monotonic() + timeout
    found: Tmux | None = None
    for attempt in range(_TMUX_TRIES):
        if attempt:
            time.sleep(_TMUX_PAUSE)
        left = deadline - time.monotonic()
        if left <= 0:
            break
        found = _display_message(left)
        if found is None or found.name:
            break
    return found


def _is_in_background(keyboard: int) -> bool:
    try:
        return os.tcgetpgrp(keyboard) != os.getpgrp()
    except OSError:  # a terminal that controls nobody has no background
        return False


def _read_until_attributes(keyboard: int, deadline: float) -> bytes:
    data = b""
    while not _ATTRIBUTES.search(data):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([keyboard], [], [], left)[0]:
            break
        read = os.read(keyboard, 4096)
        if not read:
            break
        data += read
    return data


def _understand(data: bytes) -> Terminal:
    name, cell, attributes = _NAME.search(data), _CELL.search(data), _ATTRIBUTES.search(data)
    registers = _REGISTERS.search(data)
    typed = data
    for reply in (*ANSWERS, UNFINISHED):
        typed = reply.sub(b"", typed)
    return Terminal(
        answered=attributes is not None,
        sixel=attributes is not None and _SIXEL in attributes[1].split(b";")[1:],
        registers=int(registers[1]) if registers else None,
        name=name[1].decode("utf-8", "replace") if name else "",
        cell=_cell(int(cell[2]), int(cell[1])) if cell else None,
        typed=typed.decode("utf-8", "replace"),
    )


def _display_message(timeout: float) -> Tmux | None:
    try:
        done = subprocess.run(
            ["tmux", "display-message", "-p", _TMUX_FORMAT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    fields = done.stdout.decode("utf-8", "replace").strip("\n").split("|")
    fields += [""] * 9
    passthrough, name, term, features, width, height, utf8, version, focus = fields[:9]
    return Tmux(
        # tmux 3.3 prints a flag, later ones a word; before 3.3 it could not be turned off
        passthrough=passthrough in ("1", "on", "all") or (passthrough == "" and version != ""),
        name=name,
        term=term,
        features=frozenset(features.split(",")) - {""},
        cell=_cell(int(width), int(height)) if width.isdecimal() and height.isdecimal() else None,
        utf8=utf8 != "0",
        focus=focus not in ("0", "off"),
    )


def _cell(width: int, height: int) -> CellSize | None:
    """A size that can be a cell's; terminals answer zeros where they do not know."""
    return (width, height) if 2 <= width <= 200 and 4 <= height <= 400 else None
