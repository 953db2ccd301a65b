"""The table of GPUs: a line a card or MIG instance, numbers beside their last ten minutes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message

from genai_tui import amounts
from genai_tui.charts.spark import sparkline
from genai_tui.telemetry.devices import MIG_PROBLEM
from genai_tui.telemetry.record import Gpu
from genai_tui.visible import visible
from genai_tui.widgets.line_columns import GAP, LineColumn, fitted, set_width
from genai_tui.widgets.line_table import LineTable
from genai_tui.widgets.traces import Traces, key_of

# A line is repainted up to its last cell that has changed: what changes each second stands left.
COLUMNS = (
    LineColumn("gpu", "GPU", 3, 3, 100, right=True),
    LineColumn("name", "name", 8, 20, 91),
    LineColumn("util", "util", 5, 14, 99, right=True),
    LineColumn("memory", "memory GiB", 7, 18, 98, right=True),
    LineColumn("busy", "mem busy", 8, 8, 20, right=True),
    LineColumn("temperature", "°C", 3, 3, 96, right=True),
    LineColumn("clock", "SM MHz", 6, 6, 65, right=True),
    LineColumn("power", "power W", 7, 7, 95, right=True),
    LineColumn("memory clock", "mem MHz", 7, 7, 28, right=True),
    LineColumn("fan", "fan", 5, 5, 35, right=True),
    LineColumn("pcie", "PCIe in/out", 11, 11, 25, right=True),
    LineColumn("why", "", 12, 26, 92),
    LineColumn("util over time", "util, 10 min", 12, 24, 70),
    LineColumn("memory over time", "memory", 8, 24, 30),
    LineColumn("power over time", "power", 12, 24, 18),
    LineColumn("temperature over time", "temperature", 12, 24, 15),
)
PROBLEM_WIDTH = 40
HOT, FULL = 85.0, 0.95
"""From when on a temperature in °C, and a share of the memory, deserve a colour."""

_INKS = {
    "text": ("foreground", 1.0),
    "muted": ("foreground", 0.6),
    "faint": ("foreground", 0.25),
    "bar": ("primary", 1.0),
    "course": ("text-accent", 1.0),
    "warning": ("text-warning", 1.0),
    "error": ("text-error", 1.0),
}
Part = tuple[str, str]
"""Text and the name of its ink."""


class DeviceTable(LineTable):
    """The GPUs; says which one is under the cursor."""

    class Highlighted(Message):
        """Another GPU is under the cursor, or none."""

    class Opened(Message):
        """The user wants to see all of a GPU's graphs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "graphs", tooltip="All graphs of the GPU", id="gpus.graphs"),
    ]

    def __init__(self, traces: Traces, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._traces = traces
        self._gpus: Sequence[Gpu] = []
        self._columns: list[tuple[LineColumn, int]] = []

    @property
    def chosen(self) -> Gpu | None:
        """The GPU under the cursor."""
        return self._gpus[self.cursor] if self.cursor < len(self._gpus) else None

    def show(self, gpus: Sequence[Gpu]) -> None:
        """Shows these; the traces know them already."""
        self._gpus = gpus
        if self._columns != self._fitted():
            self._columns = self._fitted()
            self.repaint_all()
        self.follow([key_of(gpu) for gpu in gpus])

    def titles(self) -> list[Segment]:
        style = self.base + self._ink("muted")
        texts = (set_width(each.title, width, right=each.right) for each, width in self._columns)
        return [Segment((" " * GAP).join(texts), style)]

    def line(self, index: int, base: Style) -> list[Segment]:
        gpu = self._gpus[index]
        segments: list[Segment] = []
        for column, width in self._columns:
            for text, ink in _CELLS[column.name](gpu, width, self._traces):
                segments.append(Segment(text, base + self._ink(ink)))
            segments.append(Segment(" " * GAP, base))
        return segments[:-1]

    def cursor_moved(self) -> None:
        self.post_message(self.Highlighted())

    def on_resize(self) -> None:
        self._columns = self._fitted()
        super().on_resize()

    def action_open(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened())

    def _fitted(self) -> list[tuple[LineColumn, int]]:
        """Columns of which no GPU tells anything leave their room to others, problems take it."""
        told = [each for each in COLUMNS if each.name not in _TOLD or self._is_told(each.name)]
        if any(gpu.problem and not gpu.parent for gpu in self._gpus):
            at = next(index for index, each in enumerate(told) if each.name == "why")
            told[at] = replace(told[at], least=PROBLEM_WIDTH, most=2 * PROBLEM_WIDTH)
        return fitted(told, self.room)

    def _is_told(self, name: str) -> bool:
        return any(_TOLD[name](gpu) is not None for gpu in self._gpus)

    def _ink(self, name: str) -> Style:
        return self.inks.text(*_INKS[name])


_TOLD: dict[str, Callable[[Gpu], object]] = {
    "fan": lambda gpu: gpu.fan,
    "pcie": lambda gpu: gpu.pcie_in,
    "busy": lambda gpu: gpu.memory_busy,
    "clock": lambda gpu: gpu.clock,
    "memory clock": lambda gpu: gpu.memory_clock,
}


def _gpu(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    return [(set_width("└" if gpu.parent else str(gpu.index), width, right=True), "text")]


def _name(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    name = visible(gpu.name).removeprefix("NVIDIA ").removeprefix("GeForce ")
    return [(set_width(name or amounts.UNKNOWN, width), "muted")]


def _util(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    share = None if gpu.utilisation is None else gpu.utilisation / 100
    return _bar(share, _whole(gpu.utilisation, " %"), width, "bar")


def _memory(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    used, total = gpu.memory_used, gpu.memory_total
    share = used / total if used is not None and total else None
    text = f"{amounts.gibibytes(used)}/{amounts.gibibytes(total)}"
    return _bar(share, text, width, "warning" if share and share >= FULL else "bar")


def _busy(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    return _number(_whole(gpu.memory_busy, " %"), width)


def _power(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    limit = f"/{gpu.power_limit:.0f}" if gpu.power_limit else ""
    return _number(f"{_whole(gpu.power)}{limit}", width)


def _temperature(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    hot = gpu.temperature is not None and gpu.temperature >= HOT
    return _number(_whole(gpu.temperature), width, "warning" if hot else "text")


def _clock(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    return _number(_whole(gpu.clock), width)


def _memory_clock(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    return _number(_whole(gpu.memory_clock), width)


def _fan(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    return _number(_whole(gpu.fan, " %"), width)


def _pcie(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    if gpu.pcie_in is None or gpu.pcie_out is None:
        return _number(amounts.UNKNOWN, width)
    return _number(f"{amounts.count(gpu.pcie_in)}/{amounts.count(gpu.pcie_out)}B", width)


def _util_course(gpu: Gpu, width: int, traces: Traces) -> list[Part]:
    return _course(gpu, "utilisation", 100.0, width, traces)


def _memory_course(gpu: Gpu, width: int, traces: Traces) -> list[Part]:
    most = (gpu.memory_total or 0) / 2**30
    return _course(gpu, "memory", most or None, width, traces)


def _power_course(gpu: Gpu, width: int, traces: Traces) -> list[Part]:
    return _course(gpu, "power", gpu.power_limit, width, traces)


def _temperature_course(gpu: Gpu, width: int, traces: Traces) -> list[Part]:
    return _course(gpu, "temperature", 100.0, width, traces)


def _why(gpu: Gpu, width: int, _: Traces) -> list[Part]:
    """What is wrong, or holds the clocks down; "–" if the driver does not say."""
    if gpu.problem:
        expected = gpu.problem == MIG_PROBLEM
        return [(set_width(visible(gpu.problem), width), "muted" if expected else "error")]
    if gpu.throttling is None:
        return [(set_width("" if gpu.parent else amounts.UNKNOWN, width), "muted")]
    return [
        (set_width(_reasons([visible(each) for each in gpu.throttling], width), width), "warning")
    ]


def _reasons(reasons: list[str], width: int) -> str:
    """All of them, or the gravest and how many there are besides."""
    whole = ", ".join(reasons)
    return whole if len(whole) <= width else f"{reasons[0]} +{len(reasons) - 1}"


_CELLS: dict[str, Callable[[Gpu, int, Traces], list[Part]]] = {
    "gpu": _gpu,
    "name": _name,
    "util": _util,
    "util over time": _util_course,
    "memory": _memory,
    "memory over time": _memory_course,
    "busy": _busy,
    "power over time": _power_course,
    "temperature over time": _temperature_course,
    "power": _power,
    "temperature": _temperature,
    "clock": _clock,
    "memory clock": _memory_clock,
    "fan": _fan,
    "pcie": _pcie,
    "why": _why,
}


def _number(text: str, width: int, ink: str = "text") -> list[Part]:
    ink = "muted" if text.startswith(amounts.UNKNOWN) else ink
    return [(set_width(text, width, right=True), ink)]


def _whole(value: float | None, unit: str = "") -> str:
    return amounts.UNKNOWN if value is None else f"{value:.0f}{unit}"


def _bar(share: float | None, text: str, width: int, ink: str) -> list[Part]:
    """A bar as long as there is room beside the text; none for what is not known."""
    room = width - max(len(text), 5) - 1
    if room < 3 or share is None:
        return _number(text, width)
    full = round(room * min(max(share, 0.0), 1.0))
    number = text.rjust(width - room)
    return [("━" * full, ink), ("─" * (room - full), "faint"), (number, "text")]


def _course(gpu: Gpu, name: str, most: float | None, width: int, traces: Traces) -> list[Part]:
    bounds = (0.0, most) if most else None
    text = sparkline(traces.course(key_of(gpu), name), width, bounds=bounds)
    text = text.replace("!", " ")  # a GPU that tells nothing has not gone wrong
    return [(set_width(text, width), "course")]
