"""Where a user sits when the line is cut: a terminal, a tmux server, an SSH client; all real."""

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from waiting import until

from benchmarks.terminal import Terminal

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
CLI = [sys.executable, "-c", "from genai_tui.cli import main; main()"]
_HANDED_ON = ("PYTHONPATH", "OMP_NUM_THREADS", "PATH", "HOME")


@dataclass(frozen=True, slots=True)
class Seat:
    """A terminal that runs a command."""

    terminal: Terminal
    victim: int
    """Pid of the process whose death cuts the line."""

    def cut(self) -> None:
        os.kill(self.victim, signal.SIGKILL)


def missing(kind: str) -> str:
    """Why this kind of seat cannot be had here; empty if it can."""
    if kind == "tmux" and not shutil.which("tmux"):
        return "there is no tmux"
    if kind == "ssh" and not (SSHD and shutil.which("ssh") and os.getuid() == 0):
        return "there is no sshd that could be started"
    return ""


def shell(*commands: Sequence[str]) -> str:
    """One after the other, as a line for a shell, with the environment of the tests."""
    known = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("GENAI_TUI_") or name in _HANDED_ON
    }
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in known.items())
    return f"export {settings}; " + " && ".join(shlex.join(command) for command in commands)


@contextmanager
def sitting(kind: str, line: str, scratch: Path) -> Generator[Seat]:
    """A seat of some kind whose shell runs ``line``."""
    with ExitStack() as stack:
        yield {"terminal": _terminal, "tmux": _tmux, "ssh": _ssh}[kind](stack, line, scratch)


def _terminal(stack: ExitStack, line: str, scratch: Path) -> Seat:
    """A terminal emulator that is killed: its end of the line closes."""
    code = (
        "import sys; from benchmarks.terminal import Terminal;"
        "terminal = Terminal(['sh', '-c', sys.argv[1]], columns=120, rows=40)\n"
        "while True: terminal.listen(60); terminal.forget()"
    )
    emulator = stack.enter_context(Terminal([sys.executable, "-c", code, line]))
    return Seat(emulator, emulator.pid)


def _tmux(stack: ExitStack, line: str, scratch: Path) -> Seat:
    tmux = ["tmux", "-S", str(scratch / "tmux"), "-f", os.devnull]
    terminal = stack.enter_context(Terminal([*tmux, "new-session", "sh", "-c", line]))
    asked = [*tmux, "display-message", "-p", "#{pid}"]
    until(lambda: subprocess.run(asked, capture_output=True).returncode == 0)
    server = int(subprocess.run(asked, capture_output=True, check=True).stdout)
    stack.callback(_kill, server)
    return Seat(terminal, server)


def _ssh(stack: ExitStack, line: str, scratch: Path) -> Seat:
    port = _daemon(stack, scratch)
    client = [
        *("ssh", "-tt", "-F", os.devnull, "-p", str(port), "-i", str(scratch / "key")),
        *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={scratch / 'known'}"),
        *("-o", "LogLevel=ERROR", f"{getpass.getuser()}@127.0.0.1"),
    ]
    terminal = stack.enter_context(Terminal([*client, line]))
    return Seat(terminal, terminal.pid)


def _daemon(stack: ExitStack, scratch: Path) -> int:
    """An sshd of our own on a port of loopback, which knows one key."""
    for name in ("host", "key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(scratch / name)]
        subprocess.run(keygen, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    assert SSHD
    options = [
        *(f"ListenAddress=127.0.0.1:{port}", f"HostKey={scratch / 'host'}", "PidFile=none"),
        *(f"AuthorizedKeysFile={scratch / 'key.pub'}", "StrictModes=no", "UsePAM=no"),
        *("PermitRootLogin=yes", "PasswordAuthentication=no"),
    ]
    command = [SSHD, "-D", "-f", os.devnull, *(word for one in options for word in ("-o", one))]
    daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    stack.callback(daemon.wait)
    stack.callback(daemon.kill)
    until(lambda: _answers(port))
    return port


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as line:
        return line.recv(4) == b"SSH-"
    return False


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
