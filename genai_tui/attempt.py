"""One attempt at a run, inside the worker: from the lock to the exit code."""

import errno
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backends import records
from backends.records import Command
from genai_tui import control, liveness
from genai_tui.admission import admit
from genai_tui.lineage import WEIGHTS
from genai_tui.liveness import LockHeldError
from genai_tui.parent import follow_parent, orphaned
from genai_tui.pulse import Heart, inherited
from genai_tui.reporter import Reporter
from genai_tui.store import Run, RunError

if TYPE_CHECKING:
    from backends.model import Model

LEAVE_SECONDS = 60.0
"""How long a worker may take to save and leave after its keeper died."""
INBOX_SECONDS = 0.1
"""The control folder is looked into at most this often."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}


def attempt(path: Path, steps: int, number: int, term: Callable[[], bool]) -> int:
    """Trains the run in ``path`` up to ``steps`` and returns the worker's exit code."""
    if not _hold(path / "worker.lock"):
        return 1
    alone = not follow_parent(signal.SIGTERM)
    run = Run(path)
    try:
        reporter = Reporter(run, steps, number)
    except (OSError, RunError) as error:
        _say(str(error))
        return _code(error)
    try:
        with inherited() as heart:
            asked = (lambda: True) if alone else term
            return _Attempt(run, reporter, heart, steps, number, asked).run()
    except RunError as error:
        return _failed(reporter, records.EXIT_CONFIG, str(error))
    except Exception as error:  # noqa: BLE001
        # The worker's edge: whatever went wrong becomes one sentence for the reader of the run
        # and a traceback in the console; the exit code says "crash" and the keeper decides.
        return _broken(reporter, error)
    finally:
        _close(reporter)


def _hold(lock: Path) -> bool:
    """Takes the worker's lock; one whose keeper died may still be saving, and is waited for."""
    until, told = time.monotonic() + LEAVE_SECONDS, False
    while True:
        try:
            liveness.hold_worker(lock)
        except LockHeldError:
            if not told:
                _say("another worker holds this run; waiting for it to leave")
            told = True
        else:
            return True
        if time.monotonic() > until:
            _say(f"another worker still holds this run after {LEAVE_SECONDS:g} s")
            return False
        time.sleep(0.05)


def _broken(reporter: Reporter, error: Exception) -> int:
    code = _code(error)
    if code == records.EXIT_DISK and isinstance(error, OSError):
        return _failed(reporter, code, f"{error.strerror}: {error.filename or reporter.path}")
    with suppress(OSError):
        traceback.print_exception(error)
    _notice(reporter, f"{type(error).__name__}: {error}")
    return code


def _code(error: Exception) -> int:
    full = isinstance(error, OSError) and error.errno in _DISK
    return records.EXIT_DISK if full else 1


class _Attempt:
    def __init__(
        self,
        run: Run,
        reporter: Reporter,
        heart: Heart,
        steps: int,
        number: int,
        term: Callable[[], bool],
    ) -> None:
        self._run, self._reporter, self._heart = run, reporter, heart
        self._steps, self._number, self._term = steps, number, term
        self._orders = control.Inbox(run.control, partial(_notice, reporter))
        self._looked = 0.0
        self._told = False

    def run(self) -> int:
        if self._term():
            return self._stopped_early()
        self._reporter.phase("importing torch")
        # Here and nowhere else: the imports take seconds and a SIGTERM may come meanwhile.
        from backends import memory
        from backends.data_error import DataError
        from backends.knobs import ConfigError

        try:
            return self._train()
        except (ConfigError, DataError) as error:
            return _failed(self._reporter, records.EXIT_CONFIG, str(error))
        except (MemoryError, RuntimeError) as error:
            if not memory.is_full(error):
                raise
            remedy = "try less of it, or a machine with more"
            sentence = memory.sentence("the data or the model", error, remedy)
            return _failed(self._reporter, records.EXIT_FAILED, sentence)

    def _train(self) -> int:
        from dataclasses import replace

        from backends import catalogue, precision
        from backends.checkpoints import CheckpointError
        from backends.counting import told_to
        from backends.datasets._shape import shape_state
        from backends.training import Job, train

        spec = self._run.spec()
        self._reporter.phase("loading data")
        with told_to(partial(self._reporter.phase, "loading data")):
            model, dataset, config = catalogue.open_spec(spec)
        if self._term():
            return self._stopped_early()
        if spec.parent or spec.weights:
            dataset = replace(dataset, notices=(*dataset.notices, self._begin_with_given(model)))
        job = Job(
            model=model,
            dataset=dataset,
            config=replace(config, steps=self._steps),
            folder=self._run.path,
            seed=spec.seed,
            device=precision.device_of(spec.device),
            inbox=self._inbox,
            barrier=self._reporter.sync,
            finish=admit,
            progress=self._progress,
            meta={"model": spec.model, "shape": shape_state(dataset.shape)},
            attempt=self._number,
        )
        try:
            return self._follow(train(job))
        except CheckpointError as error:
            return _failed(self._reporter, records.EXIT_CONFIG, str(error))

    def _begin_with_given(self, model: "Model") -> str:
        """Puts the weights it was started with in place; a checkpoint of this run replaces them."""
        from backends.weights import begin_with

        spec = self._run.spec()
        taken = begin_with(model, self._run.path / WEIGHTS)
        return f"begun from {spec.origin}: {taken}"

    def _follow(self, training: Iterator[records.Record]) -> int:
        code = 1
        for record in training:
            if isinstance(record, records.Phase):
                self._heart.turn(record.name)
            if isinstance(record, records.End):
                code = record.exit_code
                if self._told and orphaned():
                    self._say_orphaned(record)
                    continue
            self._reporter.record(record)
        return code

    def _progress(self, phase: records.Phase) -> None:
        self._heart.beat()
        self._reporter.record(phase)

    def _say_orphaned(self, record: records.End) -> None:
        """Nobody asked for this stop: the state is left to be derived as interrupted."""
        reason = f"its keeper died; everything up to step {record.step:,} is safe"
        self._reporter.end("stopped", record.exit_code, reason, interrupted=True)

    def _stopped_early(self) -> int:
        end = records.End(
            step=self._reporter.step,
            t=time.time(),
            state="stopped",
            exit_code=records.EXIT_STOPPED,
            reason="stopped before the first step",
        )
        if orphaned():
            self._say_orphaned(end)
        else:
            self._reporter.record(end)
        return end.exit_code

    def _inbox(self) -> Iterator[Command]:
        """Commands since the last look; a SIGTERM is a stop. A training that looks comes round."""
        self._heart.beat()
        if self._term() and not self._told:
            self._told = True
            by = "the death of its keeper" if orphaned() else "SIGTERM"
            yield Command(id="signal", verb="stop", t=time.time(), by=by)
        if time.monotonic() - self._looked < INBOX_SECONDS:
            return
        self._looked = time.monotonic()
        yield from self._orders.take()


def _failed(reporter: Reporter, code: int, reason: str) -> int:
    """Ends the run with one sentence, for which there is room on a full disk."""
    if code == records.EXIT_DISK:
        reporter.make_room()
    try:
        reporter.record(
            records.End(
                step=reporter.step, t=time.time(), state="failed", exit_code=code, reason=reason
            )
        )
    except OSError:
        _try_status(reporter, code, reason)
    _say(reason)
    return code


def _say(sentence: str) -> None:
    with suppress(OSError):  # the console may be on the disk that is full
        print(f"worker: {time.strftime('%Y-%m-%d %H:%M:%S%z')} {sentence}", flush=True)


def _try_status(reporter: Reporter, code: int, reason: str) -> None:
    try:
        reporter.end("failed", code, reason)
    except OSError as error:
        _say(f"not even the status can be written: {error}")


def _notice(reporter: Reporter, text: str) -> None:
    try:
        notice = records.Notice(step=reporter.step, t=time.time(), text=text, level="error")
        reporter.record(notice)
    except OSError as error:
        _say(str(error))


def _close(reporter: Reporter) -> None:
    try:
        reporter.close()
    except OSError as error:
        _say(str(error))
