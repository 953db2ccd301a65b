"""What a verb prints: lines, one JSON document, a passing phrase; and what if nobody reads it."""

import json
import os
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

import msgspec

from genai_tui.errors import UserError
from genai_tui.progress import CLEAR_LINE


class ReaderGoneError(Exception):
    """The program that read our output has ended, as in ``genai-tui runs | head -1``."""


def say(text: str = "") -> None:
    """Prints what was asked for, as a line on stdout."""
    put(sys.stdout, text + "\n")


def tell(text: str) -> None:
    """Prints a remark as a line on stderr."""
    put(sys.stderr, text + "\n")


def document(value: object) -> None:
    """Prints ``value`` as one JSON document, in ASCII, so that no name of it reaches a terminal."""
    plain = json.loads(msgspec.json.encode(value))  # which knows structs, and makes NaN null
    say(json.dumps(plain, indent=2))


def put(stream: TextIO, text: str) -> None:
    """Writes ``text`` at once.

    Raises:
        ReaderGoneError: nobody reads the stream any more.
        UserError: it cannot be written, for one because the disk is full.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
        raise ReaderGoneError from None
    except OSError as error:
        _silence(stream)
        raise UserError(f"the output cannot be written: {error.strerror}") from None


def is_terminal(stream: TextIO) -> bool:
    """Whether lines of ``stream`` can be written over."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def width_of(stream: TextIO) -> int:
    """Columns of the terminal behind ``stream``."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return shutil.get_terminal_size().columns


def painted(text: str, code: str) -> str:
    """``text`` with an SGR code, where stdout shows colours."""
    colours = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")
    return f"\x1b[{code}m{text}\x1b[0m" if colours else text


@contextmanager
def busy(phrase: str) -> Generator[None]:
    """Shows on a terminal what is being waited for."""
    if not is_terminal(sys.stderr):
        yield
        return
    put(sys.stderr, f"{phrase} …")
    try:
        yield
    finally:
        put(sys.stderr, CLEAR_LINE)


def _silence(stream: TextIO) -> None:
    """What is left in the buffer goes nowhere, else it would fail again when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
