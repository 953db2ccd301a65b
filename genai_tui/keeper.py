"""One run's keeper: a process that belongs to no terminal and watches over the run's worker.

Standard library only and a few megabytes: ``python -P -m genai_tui.keeper RUN --steps N``. It holds
``keeper.lock`` for life and does nothing but wait: for its turn, where it is queued, and for the
worker. If it dies, the kernel tells the worker, which checkpoints and leaves.
"""

import argparse
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from genai_tui import liveness
from genai_tui.admission import create
from genai_tui.liveness import LockHeldError
from genai_tui.parent import adopt_orphans
from genai_tui.supervisor import Keeper, read
from genai_tui.turns import Turns

CONSOLE_BYTES = 16 << 20
FIRST_LOOK = "finding the devices"


def main(arguments: list[str] | None = None) -> int:
    """Detaches, takes the lock, starts the worker, and tells ``--ready`` how that went."""
    parser = argparse.ArgumentParser(prog="genai_tui.keeper")
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--queue", action="store_true", help="wait until a device is free")
    parser.add_argument("--ready", type=int, default=-1, help="descriptor for the first sentence")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    if os.fork():
        return 0  # the starter waits for this one; the child belongs to nobody
    _detach(options.run)
    return _keep(options.run, options.steps, options.ready, options.queue)


def _keep(run: Path, steps: int, ready: int, queue: bool) -> int:
    try:
        liveness.hold_keeper(run / "keeper.lock")
    except LockHeldError:
        _say(ready, "error: the run is being trained already")
        return 1
    adopt_orphans()
    keeper = Keeper(run, steps)
    keeper.listen()
    turns = _turns(run)
    try:
        turns.enter(waits=queue)
    except OSError as error:
        if queue:
            _say(ready, f"error: the queue cannot be entered: {error}")
            return 1
        turns = None  # it trains all the same; only those who wait do not know of it
    if turns is not None and queue:
        keeper.say_place(FIRST_LOOK)
        _say(ready, f"ok {os.getpid()}")
        if not keeper.wait_for_turn(turns):
            return 75
        keeper.begin()
    else:
        keeper.begin()
        _say(ready, f"ok {os.getpid()}")
    return keeper.keep()


def _turns(run: Path) -> Turns:
    spec = read(run / "run.json")
    created = spec.get("created")
    known = float(created) if isinstance(created, int | float) else time.time()
    return Turns(run, known, str(spec.get("device") or "auto"))


def _detach(run: Path) -> None:
    """Leaves the terminal and the session; output goes to the run's console from here on."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    console = run / "console.log"
    with contextlib.suppress(OSError):
        if console.stat().st_size > CONSOLE_BYTES:
            console.replace(run / "console.1.log")
    fd = create(console, os.O_WRONLY | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (fd, 1), (fd, 2)):
        os.dup2(source, target)
    os.close(fd)
    os.close(null)
    os.chdir("/")


def _say(ready: int, sentence: str) -> None:
    if ready >= 0:
        with contextlib.suppress(OSError):
            os.write(ready, sentence.encode() + b"\n")
        os.close(ready)


if __name__ == "__main__":
    sys.exit(main())
