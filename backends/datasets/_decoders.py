"""Has the files of others decoded by processes with limits, and outlives whatever those files do.

A file that its decoder dies of, or is not done with in time, is left out, and a new decoder goes
on. It is blamed only for the end of a decoder that it was the first file of: what an earlier one
has done to its decoder is no fault of a later one.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, TypeVar

from backends.datasets._decoder_process import DecoderEndedError, DecoderProcess
from backends.datasets._files import shown
from backends.datasets._folders import Skipped

T = TypeVar("T")

MOST = 4
"""Decoders at a time, each of which may take :data:`backends.datasets._decoder.MEMORY`."""

WORTH_ANOTHER = 64
"""Files for which one more is started, which takes as long as some hundred small pictures."""


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """What is to be done with many files.

    Attributes:
        how: tells a decoder what it decodes, see :mod:`backends.datasets._decoder`.
        most: bytes that a file may come to.
        make: what becomes of a file and its bytes; it is called in several threads.
        batch: files that are handed over at a time.
    """

    how: Sequence[str]
    most: int
    make: Callable[[Path, bytearray], T | Skipped]
    batch: int


def decoded(files: Sequence[Path], task: Task[T]) -> Generator[T | Skipped, None, None]:
    """What becomes of each file, in their order. Close it where it is not read to its end.

    Raises:
        DecoderError: decoders do not come up.
    """
    batches = [files[i : i + task.batch] for i in range(0, len(files), task.batch)]
    count = max(1, min(MOST, os.cpu_count() or 1, math.ceil(len(files) / WORTH_ANOTHER)))
    every = [_Bench(task) for _ in range(count)]
    free: SimpleQueue[_Bench[T]] = SimpleQueue()
    for bench in every:
        free.put(bench)

    def work(batch: Sequence[Path]) -> list[T | Skipped]:
        bench = free.get()
        try:
            return bench.results(batch)
        finally:
            free.put(bench)

    threads = ThreadPoolExecutor(count, "decode")
    try:
        for results in _ahead(threads, work, batches, 2 * count):
            yield from results
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for bench in every:
            bench.stop()
        threads.shutdown()
        for bench in every:
            bench.close()


def _ahead(
    threads: ThreadPoolExecutor,
    work: Callable[[Sequence[Path]], list[T]],
    batches: Sequence[Sequence[Path]],
    most: int,
) -> Iterator[list[T]]:
    """As ``threads.map``, but that at most so many are done and wait to be taken."""
    begun: deque[Future[list[T]]] = deque()
    for batch in batches:
        begun.append(threads.submit(work, batch))
        if len(begun) >= most:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


class _Bench(Generic[T]):
    """Where one decoder after the other works."""

    def __init__(self, task: Task[T]) -> None:
        self._task = task
        self._decoder: DecoderProcess | None = None
        self._stopped = False

    def results(self, files: Sequence[Path]) -> list[T | Skipped]:
        done: list[T | Skipped] = []
        while len(done) < len(files):
            decoder = self._decoder = self._decoder or DecoderProcess(self._task.how)
            if self._stopped:  # now: stop() has seen this decoder, or is seen here
                break
            left = files[len(done) :]
            try:
                for file, answer in zip(left, decoder.answers(left, self._task.most), strict=True):
                    done.append(self._result(file, answer))
            except DecoderEndedError as end:
                self.close()
                if not decoder.answered:
                    done.append(Skipped(left[0], str(end)))
        return done

    def stop(self) -> None:
        """Ends what goes on here, from another thread."""
        self._stopped = True
        if (decoder := self._decoder) is not None:
            decoder.kill()

    def close(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def _result(self, file: Path, answer: bytearray | str) -> T | Skipped:
        if isinstance(answer, str):
            return Skipped(file, shown(answer))
        return self._task.make(file, answer)
