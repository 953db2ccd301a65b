"""A worker that is forked from the tests: a real process, without the seconds of its imports."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from genai_tui.attempt import attempt
from genai_tui.store import Run

ALARM_SECONDS = 300
"""A worker that takes longer does something for ever."""


def work(run: Run, steps: int, number: int = 1, before: Callable[[], None] = lambda: None) -> int:
    """The exit status of one attempt at a run; ``before`` is called in its process first."""
    pid = os.fork()
    if not pid:
        _attempt(run.path, steps, number, before)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _attempt(path: Path, steps: int, number: int, before: Callable[[], None]) -> NoReturn:
    code = 111
    signal.alarm(ALARM_SECONDS)
    try:
        before()
        code = attempt(path, steps, number, lambda: False)
    finally:
        os._exit(code)
