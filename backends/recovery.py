"""Going back to the last checkpoint within an attempt, to take the steps after it differently.

A batch that spoilt the weights is skipped; a step that did not fit into memory is computed in
smaller parts. What was decided goes into the checkpoint that it went back to, so that a training
that is interrupted later takes the same steps again.
"""

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from backends import checkpoints, memory
from backends.finite import Finiteness, NotFiniteError
from backends.memory import MemoryFullError
from backends.recipe import TrainConfig
from backends.records import Mark, Record
from backends.state import TrainState

MOST_SKIPS = 3
"""Batches that are skipped in a row, or between two checkpoints: with more, it is not they."""


class Loop(Protocol):
    """What going back needs of a training."""

    config: TrainConfig
    state: TrainState
    finite: Finiteness
    step: int
    root: Path
    complaints: list[str]

    def begun(self, note: str = "") -> Record: ...
    def settled(self) -> Iterator[Record]: ...
    def restore(self, snapshot: Mapping[str, Any]) -> None: ...
    def recompiled(self) -> Iterator[Record]: ...
    def complained(self) -> Iterator[Record]: ...
    def checkpoint(self, *answers: Mark) -> Iterator[Record]: ...


def skip_batch(loop: Loop, error: NotFiniteError) -> Iterator[Record]:
    """Goes back to the last checkpoint and leaves out the batch of the step that was spoilt.

    Raises:
        NotFiniteError: the policy is another one, or it has been tried often enough.
    """
    if loop.config.nan_policy != "rollback":
        raise error
    yield from loop.settled()
    back, spoilt = _newest(loop.root), error.bad[0]
    if _is_hopeless(loop.state.skips, spoilt, back.step):
        outcome = f"going back to step {back.step:,} and skipping batches did not help"
        raise NotFiniteError(error.bad, outcome)
    told = _Told("rollback", f"rollback-{spoilt}")
    yield told.mark(loop.step, "accepted", error.phrase)
    detail = f"from step {loop.step:,} to {back.step:,}; the batch of step {spoilt:,} is skipped"
    loop.restore(back.snapshot)
    loop.state.skips = sorted({*loop.state.skips, spoilt})
    yield from _begin_again(loop, back, told, f"{error.phrase}: {detail}")


def _is_hopeless(skips: list[int], spoilt: int, back: int) -> bool:
    """Whether one more batch to skip, from a checkpoint at step ``back`` on, is one too many."""
    since = [step for step in skips if step > back]
    row = all(spoilt - i in skips for i in range(1, MOST_SKIPS + 1))
    return row or len(since) >= MOST_SKIPS or spoilt in since or spoilt <= back


def halve_batches(loop: Loop, error: MemoryFullError) -> Iterator[Record]:
    """Goes back to the last checkpoint, once, and computes each batch in twice as many parts.

    Raises:
        MemoryFullError: the policy is another one, it has been done before, or a batch cannot be
            cut like that; the message says what did not fit.
    """
    size, parts = loop.config.batch_size, 2 * loop.config.accumulate
    what = _too_large(loop.config, error)
    if loop.config.memory_policy != "halve" or "accumulate" in loop.state.overrides or size % parts:
        raise MemoryFullError(what)
    yield from loop.settled()
    back, told = _newest(loop.root), _Told("halve", f"halve-{loop.step + 1}")
    yield told.mark(loop.step, "accepted", what)
    detail = f"from step {loop.step:,} to {back.step:,}; batches of {size} come in {parts} parts"
    loop.restore(back.snapshot)
    loop.state.overrides["accumulate"] = parts
    loop.config = dataclasses.replace(loop.config, accumulate=parts)
    yield from loop.recompiled()
    yield from _begin_again(loop, back, told, detail)


@dataclass(frozen=True, slots=True)
class _Back:
    """The checkpoint to go back to."""

    step: int
    snapshot: Mapping[str, Any]
    complaints: list[str]


@dataclass(frozen=True, slots=True)
class _Told:
    """The marks of one decision."""

    verb: str
    id: str

    def mark(self, step: int, answer: Literal["accepted", "done"], detail: str) -> Mark:
        t = time.time()
        return Mark(step=step, t=t, id=self.id, verb=self.verb, answer=answer, detail=detail)


def _newest(root: Path) -> _Back:
    found = checkpoints.load_newest(root)
    if found is None:  # there is one of step 0, unless somebody took it away
        raise checkpoints.CheckpointError(f"there is no checkpoint in {root} to go back to")
    return _Back(*found)


def _begin_again(loop: Loop, back: _Back, told: _Told, detail: str) -> Iterator[Record]:
    """What was taken since is dropped by readers; the decision is kept where it applies."""
    loop.complaints += back.complaints
    yield loop.begun(detail)
    yield from loop.complained()
    yield told.mark(loop.step, "done", detail)
    yield from loop.checkpoint()


def _too_large(config: TrainConfig, error: MemoryFullError) -> str:
    parts = f" in {config.accumulate} parts" if config.accumulate > 1 else ""
    remedy = f"try a lower batch_size, or accumulate={2 * config.accumulate}"
    return memory.sentence(f"a step of {config.batch_size} items{parts}", error, remedy)
