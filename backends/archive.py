"""A training's checkpoints: begun beside it, announced when they are whole, kept or removed."""

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from backends.job import Job
from backends.pace import due
from backends.records import Checkpoint, Mark, Notice, Record
from backends.saver import Saved, Saver

MOST_FAILURES = 3
"""Checkpoints in a row that a disk may fail to take before the training ends for it."""


class Archive:
    """The checkpoints of a job, in ``folder``/checkpoints.

    Raises, from whatever yields records:
        OSError: the disk is full, or has failed for too long; the older checkpoints stand.
    """

    def __init__(self, job: Job) -> None:
        self.root = job.folder / "checkpoints"
        self._folder, self._milestone = job.folder, job.config.milestone_every
        self._saver = Saver(self.root, job.config.keep_checkpoints, job.barrier, job.finish)
        self._owed: tuple[Mark, ...] = ()
        self._held: tuple[Mark, ...] = ()  # owed, and what the one under way is for
        self._failures = 0
        self._begun = 0

    def owe(self, answers: tuple[Mark, ...]) -> None:
        """Commands that are done once a checkpoint is whole that is begun from now on."""
        self._owed += answers

    def begin(self, step: int, snapshot: Mapping[str, Any], best: int | None) -> None:
        """Begins to write one; call :meth:`settled` first.

        Args:
            best: the step whose checkpoint is kept for its score.
        """
        self._begun = step
        self._held, self._owed = self._held + self._owed, ()
        self._saver.save(step, snapshot, lambda old: self._is_spared(old, best))

    def settled(self, step: int) -> Iterator[Record]:
        """Waits for the one that is under way."""
        yield from self._announced(step, self._saver.wait)

    def meanwhile(self, step: int) -> Iterator[Record]:
        """The one that has become whole since the last look."""
        yield from self._announced(step, self._saver.done)

    @property
    def failed(self) -> bool:
        """Whether the last one was discarded."""
        return bool(self._failures)

    def close(self) -> None:
        self._saver.close()

    def _is_spared(self, step: int, best: int | None) -> bool:
        return step == best or (step > 0 and due(step, self._milestone))

    def _announced(self, step: int, take: Callable[[], Saved | None]) -> Iterator[Record]:
        try:
            saved = take()
        except OSError as error:
            yield self._discarded(step, error)
            return
        if saved is None:
            return
        self._failures = 0
        yield Checkpoint(
            step=saved.step,
            t=time.time(),
            path=str(saved.path.relative_to(self._folder)),
            bytes=saved.bytes,
            seconds=saved.seconds,
        )
        answers, self._held = self._held, ()
        for answer in answers:
            yield msgspec.structs.replace(answer, step=step, t=time.time())

    def _discarded(self, step: int, error: OSError) -> Notice:
        """A disk that failed once may be sound: the next checkpoint tells. A full one stays so."""
        self._failures += 1
        if error.errno != errno.EIO or self._failures >= MOST_FAILURES:
            raise error
        text = (
            f"the checkpoint at step {self._begun:,} was discarded: the disk failed to take it "
            f"({error.strerror}); the older ones stand"
        )
        return Notice(step=step, t=time.time(), text=text, level="error")
