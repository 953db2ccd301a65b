"""Facts are waited for, with a deadline; nothing here sleeps and hopes."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(fact: Callable[[], T], seconds: float = 20.0, every: float = 0.02) -> T:
    """The first true value of ``fact``; an AssertionError when ``seconds`` have passed."""
    deadline = time.monotonic() + seconds
    while True:
        found = fact()
        if found:
            return found
        assert time.monotonic() < deadline, f"still not so after {seconds:g} s: {_said(fact)}"
        time.sleep(every)


def _said(fact: Callable[[], object]) -> str:
    code = getattr(fact, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(fact)


def python(code: str) -> subprocess.Popen[bytes]:
    """A Python that runs ``code``; it answers "ready" when the code prints that."""
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def ready(process: subprocess.Popen[bytes]) -> None:
    """Waits for the word "ready"."""
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
