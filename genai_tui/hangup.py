"""Leaving when the terminal is gone: Textual would read from it for ever, or wait to write."""

import os
import select
import threading
import time
from collections.abc import Callable

GRACE_SECONDS = 2.0
STATUS = 129  # as a shell reports a process that a hang-up has ended


def watch(descriptor: int, leave: Callable[[], object]) -> None:
    """Calls ``leave`` on a thread of its own when the other end of a terminal or pipe is closed.

    Ends the process if that does not: there is nobody left to see it, and nothing to save.
    """
    threading.Thread(target=_wait, args=(descriptor, leave), name="hangup", daemon=True).start()


def _wait(descriptor: int, leave: Callable[[], object]) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # hang-ups and errors are always told
    poll.poll()
    leave()
    time.sleep(GRACE_SECONDS)
    os._exit(STATUS)
