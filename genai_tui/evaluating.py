"""The worker that scores a checkpoint: beside any training, which it leaves alone.

What it finds goes into the run's ``scores.jsonl``, of which it is the one writer for as long as it
holds ``scores.lock``; the same lines go to whoever started it.
"""

import os
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from backends import records
from backends.records import Notice, Phase, Record
from genai_tui import liveness, settings
from genai_tui.answers import checkpoint_at
from genai_tui.liveness import LockHeldError
from genai_tui.log import Log
from genai_tui.playing import stand_back
from genai_tui.run import Run, RunError

FEATURES = "features"
"""The folder of the cache in which feature spaces are kept."""
TELL_SECONDS = 2.0


def evaluate(to: BinaryIO, path: Path, step: int, count: int, seed: int) -> int:
    """Scores the checkpoint of ``step`` (below 0: the newest); one sentence on stderr if not."""
    stand_back()
    try:
        with _Pen(to, path) as pen:
            return _scored(pen, Run(path), step, count, seed)
    except LockHeldError:
        print("another evaluation of this run is under way: wait for it", file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or path}: {error.strerror}", file=sys.stderr)
    return 1


def _scored(pen: "_Pen", run: Run, step: int, count: int, seed: int) -> int:
    pen.phase("importing torch")
    import torch

    from backends import catalogue
    from backends.checkpoints import CheckpointError
    from backends.counting import told_to
    from backends.knobs import ConfigError
    from backends.scoring import Exam, scores

    root = run.path / "checkpoints"
    try:
        pen.step = checkpoint_at(root, step)
        pen.phase("loading data")
        with told_to(pen.progress):
            _, dataset, config = catalogue.open_spec(run.spec())
            model, numerics = catalogue.ready(run.spec(), root, pen.step)
        torch.set_num_threads(max(1, numerics.threads))  # their number changes the last bits
        exam = Exam(
            model=model,
            dataset=dataset,
            numerics=numerics,
            step=pen.step,
            batch_size=config.batch_size,
            count=count,
            seed=seed,
            folder=settings.cache_dir() / FEATURES,
            phase=pen.phase,
        )
        with told_to(pen.progress):
            for score in scores(exam):
                pen.write(score)
    except (CheckpointError, ConfigError, RunError, ValueError) as error:
        return pen.fail(str(error))
    return 0


class _Pen:
    """Writes records into the file, and to whoever waits for them.

    Raises:
        LockHeldError: another evaluation writes.
        OSError: the folder cannot be written.
    """

    def __init__(self, to: BinaryIO, path: Path) -> None:
        self._to = to
        self._lock = liveness.hold_keeper(path / "scores.lock")
        self._log = Log(path / "scores.jsonl")
        self._name, self._due = "", 0.0
        self.step = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Makes durable what was written, and lets others write."""
        with suppress(OSError):
            self._log.sync()
        self._log.close()
        os.close(self._lock)

    def write(self, record: Record) -> None:
        self._log.append(record)
        with suppress(OSError):  # whoever started it has gone: the run still wants its scores
            self._to.write(records.encode(record) + b"\n")
            self._to.flush()

    def phase(self, name: str, done: int = 0, of: int = 0) -> None:
        """Says what is being done from now on."""
        self._name = name
        self.write(Phase(step=self.step, t=time.time(), name=name, done=done, of=of))

    def progress(self, done: int, of: int) -> None:
        """Says how far that is, now and then: the file keeps every line."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + TELL_SECONDS
            self.phase(self._name, done, of)

    def fail(self, sentence: str) -> int:
        """Tells why there are no scores; the exit status."""
        with suppress(OSError):
            note = partial(Notice, step=self.step, t=time.time(), level="error")
            self.write(note(text=f"not evaluated: {sentence}"))
        print(sentence, file=sys.stderr)
        return 1
