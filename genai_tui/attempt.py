"""One attempt at a run, inside the worker: from the lock to the exit code."""

import errno
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from backends import records
from backends.records import Command
from genai_tui import control, liveness
from genai_tui.liveness import LockHeldError
from genai_tui.parent import follow_parent, orphaned
from genai_tui.reporter import Reporter
from genai_tui.store import Run, RunError
from genai_tui.visible import visible

INBOX_SECONDS = 0.1
"""The control folder is looked into at most this often."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}


def attempt(path: Path, steps: int, number: int, term: Callable[[], bool]) -> int:
    """Trains the run in ``path`` up to ``steps`` and returns the worker's exit code."""
    try:
        liveness.hold_worker(path / "worker.lock")
    except LockHeldError:
        print("worker: another worker holds this run", flush=True)
        return records.EXIT_CONFIG
    follow_parent(signal.SIGTERM)
    run = Run(path)
    reporter = Reporter(run, steps, number)
    try:
        return _Attempt(run, reporter, steps, number, term).run()
    except RunError as error:
        return _failed(reporter, records.EXIT_CONFIG, str(error))
    except OSError as error:
        if error.errno not in _DISK:
            raise
        return _failed(reporter, records.EXIT_DISK, f"{error.strerror}: {error.filename or path}")
    except Exception as error:  # noqa: BLE001
        # The worker's edge: whatever went wrong becomes one sentence for the reader of the run
        # and a traceback in the console; the exit code says "crash" and the keeper decides.
        traceback.print_exc()
        _notice(reporter, f"{type(error).__name__}: {error}")
        return 1
    finally:
        _close(reporter)


class _Attempt:
    def __init__(
        self, run: Run, reporter: Reporter, steps: int, number: int, term: Callable[[], bool]
    ) -> None:
        self._run, self._reporter = run, reporter
        self._steps, self._number, self._term = steps, number, term
        self._looked = 0.0
        self._told = False

    def run(self) -> int:
        self._reporter.phase("importing torch")
        # Here and nowhere else: the imports take seconds and a SIGTERM may come meanwhile.
        from backends.data import DataError
        from backends.knobs import ConfigError

        try:
            return self._train()
        except (ConfigError, DataError) as error:
            return _failed(self._reporter, records.EXIT_CONFIG, str(error))

    def _train(self) -> int:
        from dataclasses import replace

        from backends import catalogue, precision
        from backends.checkpoints import CheckpointError
        from backends.datasets._shape import shape_state
        from backends.training import Job, train

        spec = self._run.spec()
        self._reporter.phase("loading data")
        model, dataset, config = catalogue.open_spec(spec)
        if self._term():
            return self._stopped_early()
        job = Job(
            model=model,
            dataset=dataset,
            config=replace(config, steps=self._steps),
            folder=self._run.path,
            seed=spec.seed,
            device=precision.device_of(spec.device),
            inbox=self._inbox,
            barrier=self._reporter.sync,
            meta={"model": spec.model, "shape": shape_state(dataset.shape)},
            attempt=self._number,
        )
        try:
            return self._follow(train(job))
        except CheckpointError as error:
            return _failed(self._reporter, records.EXIT_CONFIG, str(error))

    def _follow(self, training: Iterator[records.Record]) -> int:
        code = 1
        for record in training:
            if isinstance(record, records.End):
                code = record.exit_code
                if self._told and orphaned():
                    self._say_orphaned(record)
                    continue
            self._reporter.record(record)
        return code

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
        self._reporter.record(end)
        return end.exit_code

    def _inbox(self) -> Iterator[Command]:
        """Commands since the last look; a SIGTERM is a stop."""
        if self._term() and not self._told:
            self._told = True
            yield Command(id="signal", verb="stop", t=time.time(), by="SIGTERM")
        if time.monotonic() - self._looked < INBOX_SECONDS:
            return
        self._looked = time.monotonic()
        for command in control.take(self._run.control):
            if isinstance(command, str):
                _notice(self._reporter, f"{visible(command)} in the control folder is no command")
            else:
                yield command


def _failed(reporter: Reporter, code: int, reason: str) -> int:
    """Ends the run with one sentence; on a full disk the status may still fit."""
    try:
        reporter.record(
            records.End(
                step=reporter.step, t=time.time(), state="failed", exit_code=code, reason=reason
            )
        )
    except OSError:
        _try_status(reporter, code, reason)
    print(f"worker: {reason}", flush=True)
    return code


def _try_status(reporter: Reporter, code: int, reason: str) -> None:
    try:
        reporter.end("failed", code, reason)
    except OSError as error:
        print(f"worker: not even the status can be written: {error}", flush=True)


def _notice(reporter: Reporter, text: str) -> None:
    try:
        notice = records.Notice(step=reporter.step, t=time.time(), text=text, level="error")
        reporter.record(notice)
    except OSError as error:
        print(f"worker: {error}", flush=True)


def _close(reporter: Reporter) -> None:
    try:
        reporter.close()
    except OSError as error:
        print(f"worker: {error}", flush=True)
