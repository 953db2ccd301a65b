"""The whole way in a real tmux: detection, transmission through it, placeholders it lays out."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_terminal import FakeTerminal

ROOT = Path(__file__).parent.parent
APP = """
import numpy as np
from textual.app import App
from genai_tui.images.detect import detect
from genai_tui.images.view import ImageView

class Studio(App):
    def compose(self):
        yield ImageView(detect())
    def on_mount(self):
        y, x = np.mgrid[0:20, 0:40].astype(np.uint8)
        self.query_one(ImageView).show(np.stack([x * 6, y * 12, x ^ y], -1))

Studio().run()
"""
COLUMNS, ROWS = 40, 10

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


class Outer:
    """A terminal that calls itself kitty, with a tmux client in it; all share one server."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.screen = FakeTerminal(COLUMNS, ROWS)
        self._asked = b""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._master, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        known = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        self._process = subprocess.Popen(
            [*tmux(folder), *command],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**known, "HOME": str(folder)},
            start_new_session=True,
        )
        os.close(inside)

    def until(self, fact: Callable[[], object]) -> None:
        """Answer and draw until something can be seen."""
        deadline = time.monotonic() + 60
        while not fact():
            assert time.monotonic() < deadline, "what the test waits for does not appear"
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            data = os.read(self._master, 65536)
            self._asked += data
            if b"\x1b[>q" in self._asked:
                self._asked = b""
                os.write(self._master, b"\x1bP>|kitty(0.41.1)\x1b\\")
            self.screen.feed(self._decode(data))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the client ends once its last words are read
            while select.select([self._master], [], [], 5)[0] and os.read(self._master, 65536):
                pass
        self._process.wait(timeout=30)
        os.close(self._master)


def tmux(folder: Path) -> list[str]:
    return ["tmux", "-u", "-T", "RGB", "-S", f"{folder}/socket", "-f", f"{folder}/conf"]


def start(folder: Path, passthrough: str) -> Outer:
    """A terminal with a new session in it, in which the app runs."""
    (folder / "app.py").write_text(APP)
    (folder / "conf").write_text(
        f"set -g status off\nset -g focus-events on\nset -g allow-passthrough {passthrough}\n"
    )
    app = [sys.executable, str(folder / "app.py")]
    environ = ["env", f"PYTHONPATH={ROOT}", "COLORTERM=truecolor"]
    return Outer(folder, "new-session", *environ, *app)


@pytest.fixture
def end_tmux(tmp_path: Path) -> Iterator[list[Outer]]:
    terminals: list[Outer] = []
    yield terminals
    kill = [*tmux(tmp_path), "kill-server"]
    subprocess.run(kill, capture_output=True, check=False, timeout=10)
    for terminal in terminals:
        terminal.close()


def picture() -> np.ndarray:
    y, x = np.mgrid[0:20, 0:40].astype(np.uint8)
    return np.stack([x * 6, y * 12, x ^ y], -1)


def test_a_picture_reaches_kitty_through_tmux_and_the_next_terminal_that_attaches(
    tmp_path: Path, end_tmux: list[Outer]
) -> None:
    first = start(tmp_path, "on")
    end_tmux.append(first)
    seen = first.screen
    first.until(lambda: len(seen.placeholders()) == COLUMNS * ROWS and seen.images)
    assert np.array_equal(seen.pixels(2, 4)[::2, ::2], picture())
    assert seen.transmissions == 1
    subprocess.run([*tmux(tmp_path), "detach-client"], check=True, timeout=10)
    first.close()
    end_tmux.remove(first)
    second = Outer(tmp_path, "attach")
    end_tmux.append(second)
    seen = second.screen
    second.until(lambda: len(seen.placeholders()) == COLUMNS * ROWS and seen.images)
    assert np.array_equal(seen.pixels(2, 4)[::2, ::2], picture())


def test_without_passthrough_tmux_shows_cells_and_kitty_gets_no_picture(
    tmp_path: Path, end_tmux: list[Outer]
) -> None:
    terminal = start(tmp_path, "off")
    end_tmux.append(terminal)
    seen = terminal.screen
    terminal.until(lambda: np.array_equal(seen.pixels(2, 4)[::2, ::2], picture()))
    assert not seen.images
