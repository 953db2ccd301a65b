"""The poller, ``python -P -m genai_tui.telemetry RUN_DIR``: a hung driver hangs it alone.

The keeper starts it from its main thread, since the kernel ties a child's life to the thread that
made it, and never waits for it: while a call of the driver hangs, it can only be killed.
"""

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

import msgspec

from genai_tui.telemetry.journal import append
from genai_tui.telemetry.record import Count
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
    """Append a sample a second until the parent or the folder is gone; returns the exit status."""
    options = _options(arguments)
    parent = options.parent or os.getppid()
    _die_with_parent()
    sampler = Sampler(visible_only=options.visible_only)
    for _ in ticks(options.every):
        if os.getppid() != parent:
            break
        worker = worker_of(options.run / options.pid_from) if options.pid_from else None
        pid, started = (worker.pid, worker.started) if worker else (None, 0)
        sample = sampler.sample(pid, options.run, started)
        try:
            append(options.run, sample)
        except (FileNotFoundError, NotADirectoryError):  # the run was deleted
            break
        except OSError:  # a full disk: a later sample may fit
            continue
    return 0


def worker_of(path: Path) -> Process | None:
    """The worker that ``path``, a status.json, names; None if it names none or cannot be read."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(STATUS_BYTES), type=Status).worker
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -P -m genai_tui.telemetry", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN_DIR")
    parser.add_argument("--pid-from", metavar="NAME", help="file in RUN_DIR that names the worker")
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
