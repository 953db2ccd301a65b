"""Live graphs of the machine that trains: its GPUs, or processor and memory where it has none."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from textual import work
from textual.containers import VerticalScroll
from textual.message import Message

from genai_tui.charts.gauge import Gauge
from genai_tui.charts.times import clock_label
from genai_tui.telemetry import journal
from genai_tui.telemetry.record import Gpu, Telemetry
from genai_tui.widgets.field import entitle

BIN_SECONDS = 5.0
"""Samples of so many seconds are one dot, so that the graphs move that rarely: bytes cost."""
BINS = 240
STALE_SECONDS = 10.0
"""A measurement that far from a moment says nothing about it."""
LEAST_WIDTH, LOW, HIGH = 16, 3, 4
GIB = float(2**30)


class Bins:
    """Means of a quantity over equal stretches of time, the newest last; NaN where unknown."""

    def __init__(self) -> None:
        self._means: deque[float] = deque(maxlen=BINS)
        self._bin = 0
        self._sum, self._count = 0.0, 0
        self.last: float | None = None

    def push(self, t: float, value: float | None) -> None:
        """Takes in a sample; one that is older than the newest stretch is left out."""
        place = math.floor(t / BIN_SECONDS)
        if self._means and place < self._bin:
            return
        if not self._means or place > self._bin:
            gap = min(place - self._bin - 1, BINS) if self._means else 0
            self._means.extend([math.nan] * (gap + 1))
            self._bin, self._sum, self._count = place, 0.0, 0
        self.last = value
        if value is not None and math.isfinite(value):
            self._sum, self._count = self._sum + value, self._count + 1
            self._means[-1] = self._sum / self._count

    def newest(self, count: int) -> np.ndarray:
        """The last ``count`` means, float64 [count]; NaN before the first."""
        return self.until(self._bin, count)

    def until(self, last: int, count: int) -> np.ndarray:
        """``count`` means, those of the stretch ``last`` at the end; NaN where unknown."""
        known = list(self._means)[: len(self._means) - max(0, self._bin - last)]
        known = (known + [math.nan] * min(count, max(0, last - self._bin)))[-count:]
        return np.array([math.nan] * (count - len(known)) + known)


class Meter(Gauge):
    """A gauge that remembers."""

    def __init__(self, title: str, unit: str, high: float | None) -> None:
        super().__init__()
        self._name, self._of, self._high = title, unit, high
        self._bins = Bins()
        self.live = True
        self.past: Past | None = None

    def push(self, t: float, value: float | None, high: float | None) -> None:
        self._bins.push(t, value)
        self._high = high or self._high

    def paint(self) -> None:
        """Two dots a column: each stretch of time has a place of its own."""
        count = max(2, 2 * self.size.width)
        if self.past is not None:
            self._paint_past(self.past, count)
            return
        last = self._bins.last if self.live else None
        self.show(self._name, self._bins.newest(count), last, self._of, high=self._high)

    def _paint_past(self, past: "Past", count: int) -> None:
        """The moment in the middle, as long as there is something after it."""
        bins = past.bins.get(self._name, Bins())
        middle = count // 2
        values = bins.until(math.floor(past.t / BIN_SECONDS) + count - 1 - middle, count)
        last = past.values.get(self._name)
        self.show(self._name, values, last, self._of, high=self._high, cursor=middle)


class Past:
    """What was measured around a moment t: the values then, and graphs of before and after."""

    def __init__(self, t: float, samples: Sequence[Telemetry]) -> None:
        self.t = t
        self.bins: dict[str, Bins] = {}
        self.values: dict[str, float | None] = {}
        nearest = min(samples, key=lambda sample: abs(sample.t - t), default=None)
        for sample in samples:
            for title, _, value, _ in readings(sample):
                self.bins.setdefault(title, Bins()).push(sample.t, value)
        if nearest is not None and abs(nearest.t - t) <= STALE_SECONDS:
            self.values = {title: value for title, _, value, _ in readings(nearest)}


Reading = tuple[str, str, float | None, float | None]
"""Title, unit, value, and the most it can be if that is known."""


class Meters(VerticalScroll, can_focus=True):
    """A meter a quantity, made when it is first measured."""

    ALLOW_MAXIMIZE = True

    class PastRead(Message):
        """What was measured around a moment has been read."""

        def __init__(self, past: Past) -> None:
            super().__init__()
            self.past = past

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._meters: dict[str, Meter] = {}
        self._live = True
        self._moment: float | None = None
        self._past: Past | None = None
        self._titles = "machine", ""

    def rest(self, resting: bool) -> None:
        """Whether nobody measures any more: the graphs stay, and no figure passes for today's."""
        if self._live is resting:
            self._live = not resting
            self._paint()

    def on_mount(self) -> None:
        entitle(self, "machine")

    def on_resize(self) -> None:
        self._arrange()

    def follow(self, samples: list[Telemetry]) -> None:
        """Takes in the next samples of the run's telemetry."""
        for sample in samples:
            for title, unit, value, high in readings(sample):
                self._meter(title, unit, high).push(sample.t, value, high)
        last = samples[-1]
        title = f"{len(last.gpus)} GPU" if last.gpus else last.no_gpu
        problems = {gpu.problem for gpu in last.gpus if gpu.problem}
        problems |= {reason for gpu in last.gpus for reason in gpu.throttling or []}
        self._titles = title, ", ".join(sorted(problems)) or _names(last.gpus)
        self._entitle()
        self.call_after_refresh(self._paint)

    def read_at(self, run: Path, t: float | None) -> None:
        """Shows what was measured around a moment, in seconds since the epoch; None is now."""
        if t == self._moment:
            return
        self._moment = t
        if t is None:
            self._show_past(None)
        else:
            self._read(run, t)

    @work(thread=True, exclusive=True, group="past")
    def _read(self, run: Path, t: float) -> None:
        found = journal.around(run, t, BINS * BIN_SECONDS / 2)
        self.post_message(self.PastRead(Past(t, found)))  # dropped if it is wanted no longer

    def on_meters_past_read(self, event: PastRead) -> None:
        event.stop()
        if event.past.t == self._moment:
            self._show_past(event.past)

    def _show_past(self, past: Past | None) -> None:
        for meter in self._meters.values():
            meter.past = past
        self._past = past
        self._entitle()
        self._paint()

    def _entitle(self) -> None:
        title, subtitle = self._titles
        if self._past is not None:
            known = "" if self._past.values else ", not measured"
            subtitle = f"at {clock_label(self._past.t)}{known}"
        entitle(self, title, subtitle)

    def _meter(self, title: str, unit: str, high: float | None) -> Meter:
        if title not in self._meters:
            self._meters[title] = Meter(title, unit, high)
            self._meters[title].past = self._past
            self.mount(self._meters[title])
            self._arrange()
        return self._meters[title]

    def _arrange(self) -> None:
        """Four in a row, a GPU's, where they fit; the panel is as high as they are."""
        count, width = len(self._meters), self.size.width
        if not count or not width:
            return
        columns = 4 if count > 4 and width >= 4 * LEAST_WIDTH else 2
        rows = HIGH if self.screen.has_class("-tall") else LOW
        if self.has_class("-maximized"):
            rows = max(rows, min(2 * HIGH, self.size.height // math.ceil(count / columns)))
        self.styles.grid_size_columns, self.styles.grid_rows = columns, str(rows)
        self.call_after_refresh(self._paint)

    def _paint(self) -> None:
        for meter in self._meters.values():
            meter.live = self._live
            meter.paint()


def readings(sample: Telemetry) -> Iterable[Reading]:
    """What is worth a graph, GPUs first; memory in GiB."""
    for gpu in sample.gpus:
        name = f"GPU{gpu.index}" if len(sample.gpus) > 1 else "GPU"
        yield name, "%", _whole(gpu.utilisation), 100.0
        yield f"{name} mem", "G", _gib(gpu.memory_used), _gib(gpu.memory_total)
        yield f"{name} power", "W", _whole(gpu.power), gpu.power_limit
        yield f"{name} temp", "°C", _whole(gpu.temperature), 100.0
    worker, host = sample.worker, sample.host
    cores = 100.0 * host.cores if host.cores else None
    yield "worker CPU", "%", _whole(worker.cpu if worker else None), cores
    yield "worker mem", "G", _gib(worker.memory if worker else None), _gib(host.memory_total)
    yield "host CPU", "%", _whole(host.cpu), 100.0
    yield "host mem", "G", _gib(host.memory_used), _gib(host.memory_total)


def _whole(value: float | None) -> float | None:
    """Without the decimals that only flicker."""
    return None if value is None else float(round(value))


def _gib(count: int | None) -> float | None:
    """To the second digit that matters: the rest only flickers."""
    return None if count is None else round(count / GIB, 1 if count >= 10 * GIB else 2)


def _names(gpus: list[Gpu]) -> str:
    return ", ".join(sorted({gpu.name.removeprefix("NVIDIA ") for gpu in gpus if gpu.name}))
