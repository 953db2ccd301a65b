"""``--host``: the command runs on another machine, and this terminal is its terminal, over ssh."""

import os
import shlex
import shutil
import subprocess
import sys

from genai_tui.commands.output import tell
from genai_tui.errors import FAILED, MISUSE, UserError

PROGRAM = "genai-tui"
NOT_FOUND = 127
"""How a shell says that there is no such program."""
CARRIED = ("COLORTERM", "GENAI_TUI_GRAPHICS")
"""What a program there cannot know of the terminal here unless it is told."""


def run_there(host: str, words: list[str]) -> int:
    """Runs the command ``words`` on ``host`` and returns its exit status.

    Raises:
        UserError: ``host`` cannot be the name of one, or there is no ssh here.
    """
    if host.startswith("-") or not host.isprintable() or not host or " " in host:
        raise UserError(f"--host takes USER@HOST, not {host!a}", status=MISUSE)
    ssh = shutil.which("ssh")
    if ssh is None:
        raise UserError("--host needs ssh, which is not installed here", status=FAILED)
    status = subprocess.call([ssh, "-C", *_terminal(), "--", host, _command(words)])
    if status == NOT_FOUND:
        tell(f"{PROGRAM}: there is no {PROGRAM} on {host}; install it there: pip install {PROGRAM}")
    return status


def _terminal() -> list[str]:
    """Asks for a terminal there if there is one here: output that goes into a file needs none."""
    return ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else []


def _command(words: list[str]) -> str:
    """One line for the shell there. A login shell, whose PATH is the one that the user has set."""
    told = [f"{name}={os.environ[name]}" for name in CARRIED if name in os.environ]
    line = shlex.join(["exec", "env", *told, PROGRAM, *words])
    return shlex.join(["sh", "-lc", line])
