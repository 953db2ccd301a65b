"""Writes checkpoints beside the training: a snapshot is taken at once, a thread does the rest."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends import checkpoints


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that is whole on disk."""

    step: int
    path: Path
    bytes: int
    seconds: float


def _nothing(step: int) -> bool:
    """Keeps no checkpoint but the newest."""
    return False


class Saver:
    """At most one checkpoint is under way; the next one waits for it."""

    def __init__(
        self,
        root: Path,
        keep: int,
        barrier: Callable[[], None],
        finish: Callable[[Path], None],
    ) -> None:
        self._root, self._keep = root, keep
        self._barrier, self._finish = barrier, finish
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._pending: Future[Saved] | None = None

    def save(
        self, step: int, snapshot: Mapping[str, Any], spared: Callable[[int], bool] = _nothing
    ) -> None:
        """Begins to write ``snapshot``. Call :meth:`wait` first where one may be under way.

        Args:
            spared: steps whose checkpoints are kept beside the newest.
        """
        if self._pending is not None:
            raise RuntimeError("a checkpoint is under way")
        self._pending = self._thread.submit(self._write, step, snapshot, spared)

    def done(self) -> Saved | None:
        """The checkpoint that has been written since the last call, if one has.

        Raises:
            OSError: it could not be written; the older ones stand.
        """
        if self._pending is None or not self._pending.done():
            return None
        return self.wait()

    def wait(self) -> Saved | None:
        """The checkpoint that is under way, once it is whole; None if there is none."""
        if self._pending is None:
            return None
        pending, self._pending = self._pending, None
        return pending.result()

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    def _write(
        self, step: int, snapshot: Mapping[str, Any], spared: Callable[[int], bool]
    ) -> Saved:
        begin = time.perf_counter()
        written = checkpoints.save(
            self._root, step, snapshot, barrier=self._barrier, finish=self._finish
        )
        checkpoints.prune(self._root, self._keep, step, spared)
        seconds = time.perf_counter() - begin
        return Saved(step, written.path, written.bytes, seconds)
