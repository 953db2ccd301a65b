"""The worker's pen: appends records to the log and keeps ``status.json`` true."""

import os
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from backends import records
from backends.records import Process, Record, Scalar, State, Status, number
from genai_tui import liveness, reserve
from genai_tui.atomic import sweep
from genai_tui.clock import Forward
from genai_tui.log import Log
from genai_tui.store import Run, write_atomic

STATUS_SECONDS = 0.25
HEARTBEAT_SECONDS = 2.0
CURVE_POINTS = 32
TAIL_BYTES = 1 << 16
_RESTING: dict[str, Any] = {"steps_per_second": None, "items_per_second": None, "eta": None}
"""What is not known while no step is taken."""
PACE_SECONDS = 60.0
"""The estimate of the end looks back this far, and to the last point if that is longer ago."""


class Reporter:
    """Writes what an attempt does. ``record`` is called by the training thread alone."""

    def __init__(self, run: Run, of: int, attempt: int) -> None:
        self._run = run
        self._clock = Forward(_last_time(run))
        self._log = Log(run.records)
        self._lock = threading.Lock()
        self._status = _first_status(run, of, attempt)
        self._written = 0.0
        self._pace: deque[tuple[float, int]] = deque()
        self._ended = threading.Event()
        self._unsynced: OSError | None = None
        self._stride, self._skipped = 1, 0
        sweep(run.path / "status.json")
        reserve.hold(run.path)
        self.write_status()
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._run.path

    @property
    def step(self) -> int:
        return self._status.step

    def record(self, record: Record) -> None:
        """Appends a record of this moment, and replaces the status where it changes at a glance.

        Raises:
            OSError: the disk is full or the folder is gone.
        """
        record = msgspec.structs.replace(record, t=self._clock())
        if isinstance(record, records.Checkpoint):
            self._log.sync()
        self._log.append(record)
        with self._lock:
            self._status = self._after(record)
        urgent = not isinstance(record, records.Step)
        if urgent or time.monotonic() - self._written > STATUS_SECONDS:
            self.write_status()

    def phase(self, name: str, done: int = 0, of: int = 0) -> None:
        """Says what the worker is doing before there is a training loop that could."""
        self.record(records.Phase(step=self.step, t=time.time(), name=name, done=done, of=of))

    def end(self, state: State, code: int, reason: str, *, interrupted: bool = False) -> None:
        """Ends the status without a record; ``interrupted`` leaves the state to be derived."""
        with self._lock:
            self._status = _with(
                self._status,
                state=self._status.state if interrupted else state,
                phase="",
                reason=reason,
                exit_code=code,
                eta=None,
            )
        self.write_status()

    def make_room(self) -> None:
        """On a disk that is full there is room for the last words from here on."""
        reserve.release(self._run.path)

    def sync(self) -> None:
        """Makes all records durable.

        Raises:
            OSError: they may not be, or some may not have been since the last call: a system tells
                of a write that failed only once.
        """
        failed, self._unsynced = self._unsynced, None
        if failed is not None:
            raise failed
        self._log.sync()

    def close(self) -> None:
        self._ended.set()
        self.make_room()
        self.write_status()
        self._log.sync()

    def write_status(self) -> None:
        with self._lock:
            self._written = time.monotonic()
            self._status = _with(self._status, heartbeat=time.time())
            write_atomic(self._run.path / "status.json", records.encode(self._status))

    def _beat(self) -> None:
        """Shows that the process lives, and makes records durable, while a step takes long."""
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                self._log.sync()
            except OSError as error:
                self._unsynced = error  # for who asks next whether records are durable
            with suppress(OSError):  # the training thread meets the same disk, and ends for it
                self.write_status()

    def _after(self, record: Record) -> Status:
        status = self._status
        match record:
            case records.Start():
                self._pace.clear()
                begun = _with(status, step=record.step, of=record.of, state="running", reason="")
                return _with(begun, **_RESTING)
            case records.Phase():
                return self._after_phase(status, record)
            case records.Step():
                return self._after_step(status, record)
            case records.Sample():
                return _with(status, sample=record.path)
            case records.Checkpoint():
                return _with(status, checkpoint=record.step)
            case records.End():
                return _with(
                    status,
                    state=record.state,
                    phase="",
                    step=record.step,
                    eta=None,
                    exit_code=record.exit_code,
                    reason=record.reason,
                )
            case _:
                return status

    def _after_phase(self, status: Status, record: records.Phase) -> Status:
        paused = record.name == "paused"
        if paused:
            self._pace.clear()
            status = _with(status, **_RESTING)
        status = _with(status, phase=record.name, phase_done=record.done, phase_of=record.of)
        early = status.state == "starting" and not paused and record.name != "training"
        if early:  # what it goes on from is not known yet
            return status
        state = "paused" if paused else "running"
        return _with(status, step=record.step, state=state)

    def _after_step(self, status: Status, record: records.Step) -> Status:
        loss = _main_loss(record.values)
        speed = record.rates.get("steps_per_second", status.steps_per_second)
        items = record.rates.get("items_per_second", status.items_per_second)
        return _with(
            status,
            step=record.step,
            steps_per_second=None if speed is None else number(speed),
            items_per_second=None if items is None else number(items),
            eta=self._eta(record.step, status.of),
            loss=status.loss if loss is None else loss,
            curve=self._curve(status.curve, loss),
        )

    def _eta(self, step: int, of: int) -> float | None:
        """Seconds to the end at the pace of the last minute, pauses for samples included."""
        now = time.monotonic()
        self._pace.append((now, step))
        while len(self._pace) > 2 and now - self._pace[0][0] > PACE_SECONDS:
            self._pace.popleft()
        since, first = self._pace[0]
        if step == first or now - since < 0.5:
            return self._status.eta
        return (of - step) * (now - since) / (step - first)

    def _curve(self, curve: list[Scalar], loss: Scalar | None) -> list[Scalar]:
        """The whole run's loss in few points: when they are too many, every other one goes."""
        if loss is None:
            return curve
        self._skipped += 1
        if self._skipped < self._stride:
            return curve
        self._skipped = 0
        if len(curve) >= CURVE_POINTS:
            self._stride *= 2
            curve = curve[::2]
        return [*curve, loss]


def _last_time(run: Run) -> float:
    """The time of the last record that an earlier attempt has left; 0 if there is none."""
    try:
        size = run.records.stat().st_size
    except OSError:
        return 0.0
    told = run.read(max(0, size - TAIL_BYTES)).records
    return told[-1].t if told else 0.0


def _first_status(run: Run, of: int, attempt: int) -> Status:
    before = run.status()
    keeper, worker = liveness.identity(os.getppid()), liveness.identity(os.getpid())
    return _with(
        before,
        state="starting",
        of=of,
        attempt=attempt,
        host=socket.gethostname(),
        boot_id=liveness.boot_id(),
        keeper=Process(pid=keeper.pid, started=keeper.started),
        worker=Process(pid=worker.pid, started=worker.started),
        exit_code=None,
        signal=None,
        reason="",
        eta=None,
    )


def _main_loss(values: dict[str, Scalar]) -> Scalar | None:
    for name in ("loss", "G/loss"):
        if name in values:
            return values[name]
    return None


def _with(status: Status, **changes: Any) -> Status:
    return msgspec.structs.replace(status, **changes)
