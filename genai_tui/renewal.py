"""Ends the reading of those who opened a run's growing files while they might.

A descriptor outlives the right to get one: who has a log open reads whatever is appended to that
file. So each is replaced by a copy of its own, to which the next attempt appends.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from genai_tui import liveness
from genai_tui.admission import create
from genai_tui.atomic import sweep, sync_folder
from genai_tui.liveness import LockHeldError
from genai_tui.regular import opened
from genai_tui.run import Run

GROWING = ("records.jsonl", "scores.jsonl", "telemetry.jsonl", "console.log")


def renew(run: Run) -> bool:
    """Replaces the growing files by copies; False, with none replaced, while somebody appends.

    Raises:
        OSError: the disk is full, or a file cannot be read; each file is the old one or its copy.
    """
    try:
        with _alone(run.path):
            for name in GROWING:
                _renew(run.path / name)
            sync_folder(run.path)
    except LockHeldError:
        return False
    return True


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Keeps everybody who would append out.

    Raises:
        LockHeldError: somebody is at it.
    """
    with ExitStack() as held:
        for name in ("keeper.lock", "scores.lock"):
            held.callback(os.close, liveness.hold_keeper(path / name))
        if liveness.worker_held(path / "worker.lock"):  # its keeper died, and it still saves
            raise LockHeldError(str(path))
        yield


def _renew(path: Path) -> None:
    sweep(path)
    if not path.exists():
        return
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with opened(path) as old, os.fdopen(create(hidden, os.O_WRONLY | os.O_EXCL), "wb") as new:
            shutil.copyfileobj(old, new, 1 << 20)
            new.flush()
            os.fsync(new.fileno())
        os.replace(hidden, path)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise
