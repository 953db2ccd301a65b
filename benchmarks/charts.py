"""What an update of a line chart costs: CPU time of the whole app, and bytes to the terminal."""

import asyncio
import os
import time
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver

from benchmarks.figures import Figure
from genai_tui.charts.buckets import bucket
from genai_tui.charts.line import LineChart, Series
from genai_tui.charts.pyramid import Pyramid

WIDTH, HEIGHT = 160, 40
UPDATES = 40
TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
SERIES = ("G/loss", "D/loss", "D/r1", "grad_norm")


class CountingDriver(HeadlessDriver):
    """A terminal that counts what is written to it."""

    written = 0

    @property
    def is_headless(self) -> bool:
        """Textual renders nothing for a driver that says yes."""
        return False

    def write(self, data: str) -> None:
        """Count, as UTF-8."""
        CountingDriver.written += len(data.encode())


class ChartApp(App[None]):
    """One chart on a screen of its own; `steps` yields what to show after each update."""

    CSS = "LineChart { height: 1fr; }"

    def __init__(self, steps: Callable[[LineChart], Iterator[None]]) -> None:
        super().__init__(driver_class=CountingDriver)
        self.steps = steps
        self.milliseconds = self.bytes = 0.0

    def compose(self) -> ComposeResult:
        """The chart."""
        yield LineChart("loss")

    def on_ready(self) -> None:
        """Measure once the screen stands."""
        self.run_worker(self.measure())

    async def measure(self) -> None:
        """Show every step, wait until it is painted, and average over all but the first five."""
        chart = self.query_one(LineChart)
        start, before = 0.0, 0
        for i, _ in enumerate(self.steps(chart)):
            if i == 5:
                start, before = time.process_time(), CountingDriver.written
            painted = asyncio.Event()
            chart.call_after_refresh(painted.set)
            await painted.wait()
            await asyncio.sleep(0.02)
        self.milliseconds = (time.process_time() - start) * 1e3 / (UPDATES - 5)
        self.bytes = (CountingDriver.written - before) / (UPDATES - 5)
        self.exit()


def growing(points: int, *, scrolling: bool = False) -> Callable[[LineChart], Iterator[None]]:
    """Four noisy curves of `points` that get a little longer with each update."""
    more = max(1, points // 1000)
    rng = np.random.default_rng(0)
    x = np.arange(points + more * UPDATES, dtype=np.float64)
    ys = [np.exp(-3 * x / x[-1]) + i + rng.normal(0, 0.1, len(x)) for i in range(len(SERIES))]

    def steps(chart: LineChart) -> Iterator[None]:
        chart.x_hint = 1.5 * points
        for i in range(UPDATES):
            end = points + i * more
            chart.show([Series(n, x[:end], y[:end]) for n, y in zip(SERIES, ys, strict=True)])
            if scrolling:
                chart.x_range = (float(end - points), float(end))
            yield

    return steps


def measure(_folder: Path) -> Iterator[Figure]:
    """Every figure of the line chart, 160x40 cells, CPU time of the whole app."""
    for label, points, scrolling in (
        ("4 x 1k points", 1000, False),
        ("4 x 1M points", 1_000_000, False),
        ("4 x 1M points, scrolling", 1_000_000, True),
    ):
        with patch.dict(os.environ, TERMINAL):
            app = ChartApp(growing(points, scrolling=scrolling))
            asyncio.run(app.run_async(size=(WIDTH, HEIGHT)))
        most, bytes_most = (8 if points < 10_000 else 12), (12_000 if scrolling else 3000)
        yield Figure(
            f"update of a chart, {label}",
            app.milliseconds,
            "ms",
            "with Textual, 160x40",
            f"<= {most} ms",
            app.milliseconds <= most,
        )
        yield Figure(
            f"bytes of an update, {label}",
            app.bytes / 1000,
            "kB",
            "",
            f"<= {bytes_most / 1000:g} kB",
            app.bytes <= bytes_most,
        )
    yield from _lookups()


def _lookups() -> Iterator[Figure]:
    """What one redraw costs of ten million points: looked up, and looked at."""
    dice = np.random.default_rng(0)
    x, y = np.arange(10_000_000.0), dice.normal(size=10_000_000)
    pyramid = Pyramid(-np.inf)
    pyramid.follow(y)
    looked_up, looked_at = (
        1e3 * min(timeit.repeat(lambda p=p: bucket(x, y, 0.0, x[-1], 320, pyramid=p), number=1))
        for p in (pyramid, None)
    )
    yield Figure(
        "bounds of 10M points in 320 columns",
        looked_up,
        "ms",
        f"every point {looked_at:.1f} ms",
        "<= 2 ms",
        looked_up <= 2,
    )
