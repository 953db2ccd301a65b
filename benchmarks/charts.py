"""What an update of a line chart costs: CPU time of the whole app, and bytes to the terminal."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from unittest.mock import patch

import numpy as np
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver

from genai_tui.charts.line import LineChart, Series

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


def measure() -> list[tuple[str, float, str]]:
    """Name, value and unit of each figure."""
    figures: list[tuple[str, float, str]] = []
    for label, points, scrolling in (
        ("4x1k", 1000, False),
        ("4x1M", 1_000_000, False),
        ("4x1k scrolling", 1000, True),
        ("4x1M scrolling", 1_000_000, True),
    ):
        with patch.dict(os.environ, TERMINAL):
            app = ChartApp(growing(points, scrolling=scrolling))
            asyncio.run(app.run_async(size=(WIDTH, HEIGHT)))
        figures.append((f"line chart {label}, CPU per update", app.milliseconds, "ms"))
        figures.append((f"line chart {label}, bytes per update", app.bytes, "B"))
    return figures


if __name__ == "__main__":
    for name, value, unit in measure():
        print(f"{name:45} {value:10.2f} {unit}")
