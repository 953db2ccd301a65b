"""A training as lines of text: one line in place on a terminal, plain lines at a readable pace."""

import time
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct, field

from backends.records import (
    Checkpoint,
    Notice,
    Record,
    Sample,
    Scalar,
    Start,
    Status,
    Step,
    number,
)
from genai_tui import amounts
from genai_tui.store import LIVE, Run, Seen
from genai_tui.visible import visible

POLL_SECONDS = 0.1
PLAIN_SECONDS = 2.0
"""Plain lines of steps come at most this often."""

BAR, BAR_REST, BAR_WIDTH = "━", "─", 24
MOST_TERMS = 3
CLEAR_LINE = "\r\x1b[K"
Put = Callable[[str], None]


class Display(Protocol):
    """Something that shows a training as it goes on."""

    def record(self, record: Record) -> None: ...
    def status(self, status: Status) -> None: ...
    def close(self) -> None: ...


def follow(run: Run, display: Display, left: Callable[[], bool] = lambda: False) -> Seen | None:
    """Shows what a run does until it ends; the state that it ended in, or None if ``left``."""
    offset = 0
    try:
        while not left():
            status = run.status()  # asked before the log: what was written before the end is read
            state = run.state(status)
            chunk = run.read(offset)
            offset = chunk.offset
            for record in chunk.records:
                display.record(record)
            display.status(status)
            if chunk.more:
                continue
            if state not in LIVE:
                return state
            time.sleep(POLL_SECONDS)
        return None
    finally:
        display.close()


def wait_released(run: Run, seconds: float = 5.0) -> None:
    """Returns when the keeper of a run that has ended is gone, so that the next verb may start."""
    until = time.monotonic() + seconds
    while run.liveness().keeper and time.monotonic() < until:
        time.sleep(POLL_SECONDS / 2)


# --------------------------------------------------------------------------- two ways to show it


class Latest(Struct):
    """The newest of each scalar."""

    step: int = 0
    values: dict[str, Scalar] = field(default_factory=dict[str, Scalar])
    rate: float | None = None

    def fold(self, step: Step) -> None:
        self.step = step.step
        self.values |= step.values
        found = step.rates.get("steps_per_second")
        self.rate = self.rate if found is None else number(found)


class InPlace:
    """One line that is written over, and above it a line for each thing that stays."""

    def __init__(self, put: Put, width: Callable[[], int]) -> None:
        self._put, self._width = put, width
        self._latest = Latest()
        self._shown: str = ""

    def record(self, record: Record) -> None:
        if isinstance(record, Step):
            self._latest.fold(record)
        text = event(record)
        if text:
            self._put(f"{CLEAR_LINE}{text}\n")
            self._shown = ""

    def status(self, status: Status) -> None:
        text = f"{bar(status)} {progress(status, self._latest)}"[: max(1, self._width() - 1)]
        if text != self._shown:
            self._put(f"{CLEAR_LINE}{text}")
            self._shown = text

    def close(self) -> None:
        self._put("\n")


class Plain:
    """Lines for a file or a pipe."""

    def __init__(self, put: Put, clock: Callable[[], float] = time.monotonic) -> None:
        self._put, self._clock = put, clock
        self._latest = Latest()
        self._shown: str = ""
        self._due = 0.0

    def record(self, record: Record) -> None:
        if isinstance(record, Step):
            self._latest.fold(record)
        text = event(record)
        if text:
            self._put(f"{text}\n")

    def status(self, status: Status) -> None:
        """Says where the training is, if that is news and the last line is not too fresh."""
        text = progress(status, self._latest)
        paced = status.state == "running" and self._clock() < self._due
        if text == self._shown or paced or (not self._latest.step and not waits(status)):
            return
        self._put(f"{text}\n")
        self._shown, self._due = text, self._clock() + PLAIN_SECONDS

    def close(self) -> None:
        pass


# --------------------------------------------------------------------------- words


def event(record: Record) -> str:
    """The line that a record leaves behind; empty if it leaves none."""
    match record:
        case Sample():
            return f"samples at step {record.step:,}: {visible(record.path)}"
        case Checkpoint():
            return f"checkpoint at step {record.step:,}: {amounts.size(record.bytes)}"
        case Notice():
            return f"{record.level}: {visible(record.text)}"
        case Start() if record.note:
            return f"back: {visible(record.note)}"
        case Start() if record.attempt > 1:
            return f"attempt {record.attempt} goes on from step {record.step:,}"
        case _:
            return ""


def progress(status: Status, latest: Latest) -> str:
    """Where a training is: step, losses, rate and time to the end; else what it waits for."""
    doing = amounts.phase(visible(status.phase), status.phase_done, status.phase_of)
    if waits(status):
        place = f", {visible(status.waits)}" if status.waits else ""
        return f"{doing or status.state}{place} …"
    parts = [
        f"step {latest.step:,}/{status.of:,}",
        *terms(latest.values),
        f"{amounts.rate(latest.rate)} steps/s",
        f"ETA {amounts.duration(status.eta)}" if status.state in LIVE and status.eta else "",
        doing if status.phase != "training" else "",
    ]
    return "  ".join(part for part in parts if part)


def waits(status: Status) -> bool:
    """Whether an attempt has not come to its first step yet."""
    return status.state == "starting"


def terms(values: dict[str, Scalar]) -> list[str]:
    """The losses among the logged scalars, the whole one first."""
    names = [name for name in values if name == "loss" or name.endswith("/loss")]
    ordered = sorted(names, key=lambda name: (name != "loss", "validation" in name))
    return [f"{visible(n)} {amounts.value(number(values[n]))}" for n in ordered[:MOST_TERMS]]


def bar(status: Status) -> str:
    """The share that is done."""
    share = min(1.0, max(0.0, status.step / status.of)) if status.of else 0.0
    done = round(BAR_WIDTH * share)
    return BAR * done + BAR_REST * (BAR_WIDTH - done)
