"""Ways to tell somebody who does not look: the terminal's bell, its notifications, a command."""

import json
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from genai_tui.visible import visible

APP = "genai-tui"
LONGEST = 200
COMMAND_SECONDS, COMMAND_EVERY = 30.0, 10.0
_TITLED = ("foot", "rxvt", "vte")
"""Terminals that take a title and a text (OSC 777) and not a text alone (OSC 9)."""


def way_of(setting: str, environ: Mapping[str, str]) -> str:
    """What ``auto`` means in this terminal."""
    if setting != "auto":
        return setting
    terminal = environ.get("TERM", "")
    titled = "VTE_VERSION" in environ or any(name in terminal for name in _TITLED)
    return "osc777" if titled else "osc9"


def notification(way: str, title: str, text: str, *, in_tmux: bool) -> str:
    """The command that makes a terminal show a notification; it begins with no digit, since some
    terminals read those as progress. Terminals that know none ignore it."""
    title, text = (visible(part, limit=LONGEST).replace(";", ",") for part in (title, text))
    if way == "osc777":
        command = f"\x1b]777;notify;{APP}: {title};{text}\x07"
    elif way == "osc9":
        command = f"\x1b]9;{APP}: {title}: {text}\x07"
    else:
        return ""
    doubled = command.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\" if in_tmux else command


class CommandHook:
    """Runs the user's command with one alert as JSON on its standard input.

    It runs without a shell, at most every ten seconds and one at a time; what comes in between is
    counted, and the next one says how many it stands for.
    """

    def __init__(
        self,
        command: str,
        complain: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.command = command
        self._complain = complain
        self._clock = clock
        self._busy = threading.Lock()
        self._due, self._left_out = 0.0, 0
        self._complained = False
        self._words = self._split(command)

    def tell(self, document: Mapping[str, object]) -> bool:
        """Starts the command in a thread; False if it was left out."""
        if not self._words:
            return False
        if self._clock() < self._due or not self._busy.acquire(blocking=False):
            self._left_out += 1
            return False
        self._due = self._clock() + COMMAND_EVERY
        told = json.dumps({**document, "left_out": self._left_out}).encode()
        self._left_out = 0
        run = threading.Thread(target=self._run, args=(self._words, told), daemon=True)
        run.start()
        return True

    def _split(self, command: str) -> Sequence[str]:
        try:
            return shlex.split(command)
        except ValueError as error:
            self._say(f"{error}")
            return ()

    def _run(self, words: Sequence[str], told: bytes) -> None:
        try:
            done = subprocess.run(
                words,
                input=told,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_SECONDS,
            )
            if done.returncode:
                self._say(f"it ended with status {done.returncode}")
        except (OSError, subprocess.TimeoutExpired) as error:
            self._say(str(error))
        finally:
            self._busy.release()

    def _say(self, problem: str) -> None:
        """Complains once: an alert is no place for a second one."""
        if not self._complained:
            self._complained = True
            self._complain(f"alert_command: {problem}")
