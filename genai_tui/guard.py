"""Puts the terminal back in order when the studio is killed, which then cannot do so itself.

A process that is forked before anything heavy is imported, and that does nothing but wait for the
end of a pipe. Who leaves as usual tells it so first.
"""

import contextlib
import os
import signal
import termios
from collections.abc import Generator

_LEFT = b"."
_RESTORE = (
    b"\x1b\\"  # ends a string that was being sent, such as a picture
    b"\x1b[?2026l\x1b[?2048l"  # updates at once, reports of the size
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"  # the mouse
    b"\x1b[?1004l\x1b[?2004l\x1b[<u"  # focus, pasting, the keyboard's protocol
    b"\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"  # wrapping, cursor, colours, the screen before
)


@contextlib.contextmanager
def guarded(descriptor: int) -> Generator[None]:
    """While this lasts somebody watches over the terminal on ``descriptor``.

    Must begin while the process has one thread. Does nothing where that is no terminal.
    """
    try:
        before = termios.tcgetattr(descriptor)
        reading, writing = os.pipe()
    except (OSError, termios.error):
        yield
        return
    if os.fork() == 0:
        os.close(writing)
        _watch(reading, descriptor, before)
    os.close(reading)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the guard was killed
            os.write(writing, _LEFT)
        os.close(writing)


def _watch(reading: int, terminal: int, before: list[object]) -> None:
    """The guard's life: it never returns."""
    try:
        os.setpgid(0, 0)  # what is meant for the studio's group is not meant for it
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTTOU, signal.SIGTTIN):
            signal.signal(number, signal.SIG_IGN)
        if os.read(reading, 1) != _LEFT:
            os.write(terminal, _RESTORE)
            termios.tcsetattr(terminal, termios.TCSANOW, before)  # pyright: ignore[reportArgumentType]
    except (OSError, termios.error):
        pass  # the terminal is gone too
    finally:
        os._exit(0)
