"""The poller, ``python -P -m genai_tui.telemetry FOLDER``: a hung driver hangs it alone.

It appends to a run's telemetry, or with --print says what it sees to whoever started it. That one
does so from a thread that lives on, since the kernel ties a child's life to the thread that made
it, and never waits for it: while a call of the driver hangs, it can only be killed.
"""

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

import msgspec

from genai_tui.telemetry.journal import append, last_time
from genai_tui.telemetry.record import Count, encode
from genai_tui.telemetry.sampler import Sampler
from genai_tui.telemetry.ticks import ticks

PR_SET_PDEATHSIG = 1
STATUS_BYTES = 2**20


class Process(msgspec.Struct, frozen=True):
    """The worker, as status.json names it."""

    pid: Count
    started: int = 0


class Status(msgspec.Struct, frozen=True):
    """All we need of status.json."""

    worker: Process | None = None


def main(arguments: list[str] | None = None) -> int:
    """Tell of a sample a second until nobody is there to hear it; returns the exit status."""
    options = _options(arguments)
    parent = options.parent or os.getppid()
    _die_with_parent()
    since = 0.0 if options.print else last_time(options.folder)
    sampler = Sampler(visible_only=options.visible_only, since=since)
    tell = _print if options.print else _keep
    for _ in ticks(options.every):
        if os.getppid() != parent or not tell(sampler, options):
            break
    return 0


def _keep(sampler: Sampler, options: argparse.Namespace) -> bool:
    """Append to the run's telemetry; False if the run was deleted."""
    worker = worker_of(options.folder / options.pid_from) if options.pid_from else None
    pid, started = (worker.pid, worker.started) if worker else (None, 0)
    sample = sampler.sample(pid, options.folder, started)
    try:
        append(options.folder, sample)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # a full disk: a later sample may fit
        return True
    return True


def _print(sampler: Sampler, options: argparse.Namespace) -> bool:
    """Print for a viewer; False if it is gone."""
    snapshot = sampler.snapshot(options.folder, processes=options.processes)
    try:
        sys.stdout.buffer.write(encode(snapshot) + b"\n")
        sys.stdout.buffer.flush()
    except OSError:
        return False
    return True


def worker_of(path: Path) -> Process | None:
    """The worker that ``path``, a status.json, names; None if it names none or cannot be read."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(STATUS_BYTES), type=Status).worker
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m genai_tui.telemetry", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a run's, or whose disk counts")
    parser.add_argument("--pid-from", metavar="NAME", help="file in FOLDER that names the worker")
    parser.add_argument("--print", action="store_true", help="to stdout, for a viewer")
    parser.add_argument("--processes", action="store_true", help="print all processes, too")
    parser.add_argument("--parent", type=int, metavar="PID", help="end with this parent")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument(
        "--visible-only", action="store_true", help="only GPUs that CUDA_VISIBLE_DEVICES shows"
    )
    options = parser.parse_args(arguments)
    if not options.every > 0:
        parser.error("--every takes a positive number of seconds")
    return options


def _die_with_parent() -> None:
    """Let the kernel end us with the parent (on Linux; elsewhere a look at each tick must do).

    SIGTERM keeps its default action: a Python handler would not run while the driver hangs.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
