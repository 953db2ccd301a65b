"""Graphs of the last ten minutes: all that is known of one GPU, and of the machine."""

import math

from textual.containers import VerticalScroll

from genai_tui.charts.gauge import Gauge
from genai_tui.telemetry.record import Gpu, Host
from genai_tui.widgets.field import entitle
from genai_tui.widgets.traces import GIB, HOST, MINUTES, OF_GPU, OF_HOST, Quantity, Traces, key_of

LEAST_WIDTH, GUTTER, LOW, HIGH = 17, 2, 3, 12


class TraceGrid(VerticalScroll, can_focus=False):
    """A gauge a quantity, in as many columns as fit."""

    ALLOW_MAXIMIZE = True

    def __init__(self, traces: Traces, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._traces = traces
        self._gpu: Gpu | None = None
        self._host = Host()
        self._gauges: dict[str, Gauge] = {}

    @property
    def count(self) -> int:
        """How many graphs there are."""
        return len(self._gauges)

    def show(self, gpu: Gpu | None, name: str, host: Host) -> None:
        """Shows this GPU, called ``name``, and the host; the traces know them already."""
        self._gpu, self._host = gpu, host
        entitle(self, f"{name} · {MINUTES} min" if name else f"host · {MINUTES} min")
        wanted = self._wanted()
        if list(self._gauges) != wanted:
            self._replace(wanted)
        self.call_after_refresh(self.paint)

    def rows_for(self, width: int) -> int:
        """Rows of gauges in a panel whose inside is ``width`` cells wide."""
        return math.ceil(len(self._gauges) / _columns(len(self._gauges), width))

    def paint(self) -> None:
        for name, gauge in self._gauges.items():
            quantity, key = self._what(name)
            most = _most(self._gpu, self._host, name) or quantity.most
            course = self._traces.course(key, name)
            last = self._traces.last(key, name)
            gauge.show(quantity.name, course, last, quantity.unit, high=most)

    def on_resize(self) -> None:
        self._arrange()

    def _wanted(self) -> list[str]:
        """What has ever been known: a card without a fan has no graph of it."""
        of_gpu = [
            name
            for name in OF_GPU
            if self._gpu is not None and self._traces.is_known(key_of(self._gpu), name)
        ]
        return of_gpu + list(OF_HOST)

    def _replace(self, wanted: list[str]) -> None:
        for name in self._gauges.keys() - set(wanted):
            self._gauges.pop(name).remove()
        before = self._gauges
        self._gauges = {name: before.get(name) or Gauge() for name in wanted}
        for index, (name, gauge) in enumerate(self._gauges.items()):
            if name not in before:
                self.mount(gauge, before=index if index < len(self.children) else None)
        self._arrange()

    def _what(self, name: str) -> tuple[Quantity, str]:
        if name in OF_HOST:
            return OF_HOST[name][0], HOST
        return OF_GPU[name][0], key_of(self._gpu) if self._gpu else HOST

    def _arrange(self) -> None:
        count, (width, height) = len(self._gauges), self.size
        if not count or not width:
            return
        rows = math.ceil(count / _columns(count, width))
        rows = min(count, max(rows, round(height / HIGH)))  # few graphs fill a large screen too
        columns = math.ceil(count / rows)
        rows = math.ceil(count / columns)
        self.styles.grid_size_columns = columns
        self.styles.grid_rows = str(max(LOW, min(2 * HIGH, height // rows)))
        self.call_after_refresh(self.paint)


def _columns(count: int, width: int) -> int:
    """As many as fit, and no fewer in the last row than need be."""
    most = max(1, (width + GUTTER) // (LEAST_WIDTH + GUTTER))
    rows = math.ceil(count / most)
    return max(1, math.ceil(count / rows)) if rows else 1


def _most(gpu: Gpu | None, host: Host, name: str) -> float | None:
    """What a graph may reach, where the machine itself tells it."""
    if name == "host memory":
        return host.memory_total / GIB if host.memory_total else None
    if gpu is None:
        return None
    if name == "memory":
        return gpu.memory_total / GIB if gpu.memory_total else None
    return gpu.power_limit if name == "power" else None
