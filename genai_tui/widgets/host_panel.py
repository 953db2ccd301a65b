"""The machine in two or three lines: processor and cores, memory, disks, network."""

from collections.abc import Sequence
from itertools import pairwise

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from genai_tui import amounts
from genai_tui.charts.canvas import Row, Run
from genai_tui.charts.rows import RowsWidget
from genai_tui.telemetry.record import Host, Snapshot
from genai_tui.widgets.inks import Inks
from genai_tui.widgets.traces import Traces

_BARS = "▁▂▃▄▅▆▇█"
_METER = 8
ROOMY = 90
SOON_S = 7 * 86_400.0
"""A disk that is full later than this is not worth a word."""
HASTE_S = 86_400.0
"""One that is full sooner deserves a colour."""


_TEXT, _MUTED, _BAR, _CORES, _WARNING, _ERROR = range(6)
_INKS = (
    ("foreground", 1.0),
    ("foreground", 0.6),
    ("primary", 1.0),
    ("text-accent", 1.0),
    ("text-warning", 1.0),
    ("text-error", 1.0),
)


class HostPanel(RowsWidget):
    """What a snapshot says of the host, in two rows."""

    def __init__(self, traces: Traces, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._traces = traces
        self._inks = Inks(self)
        self._cores: Sequence[float] = []
        self._host = Host()

    def show_sample(self, snapshot: Snapshot) -> None:
        self._host = snapshot.host
        self._cores = snapshot.cores or self._cores
        self.redraw()

    def picture(self, width: int, height: int) -> list[Row]:
        """The rows, each cut or filled to the width."""
        rows = [self._first(self._host), self._second(self._host)]
        return [_cut(row, width) for row in [*rows, *[[]] * height][:height]]

    def ink_style(self, ink: int) -> Style:
        return self.rich_style + self._inks.text(*_INKS[ink])

    def notify_style_update(self) -> None:
        self._inks.reset()
        super().notify_style_update()

    def _first(self, host: Host) -> list[Run]:
        """The cores get the room that is left, or the place of the meter if that is too little."""
        rest: list[Run] = [
            (f" of {host.cores or amounts.UNKNOWN} cores", _MUTED),
            ("  load ", _MUTED),
            (amounts.UNKNOWN if host.load is None else f"{host.load:.1f}", _TEXT),
            ("  memory ", _MUTED),
            *_filled(host.memory_used, host.memory_total),
            ("  swap ", _MUTED),
            *(_filled(host.swap_used, host.swap_total) if host.swap_total else [("none", _TEXT)]),
        ]
        line = [("CPU ", _MUTED), *_meter(host.cpu), *rest]
        label = "  cores "
        room = self.size.width - sum(len(text) for text, _ in line) - len(label)
        if room >= min(len(self._cores), _METER):
            return [*line, (label, _MUTED), (_bars(self._cores, room), _CORES)]
        bars = _bars(self._cores, _METER).rjust(_METER)
        return [("CPU ", _MUTED), (bars, _CORES), (_percent(host.cpu), _TEXT), *rest]

    def _second(self, host: Host) -> list[Run]:
        """That the disk fills takes the place of its size where there is not room for both."""
        line: list[Run] = [("disk ", _MUTED), (f"{amounts.size(host.disk_free)} free", _TEXT)]
        filling = _filling(self._traces.seconds_to_full())
        if not filling or self.size.width >= ROOMY:
            line.append((f" of {amounts.size(host.disk_total)}", _MUTED))
        line += filling
        for name, into, out in (
            ("  r/w ", host.disk_read, host.disk_write),
            ("  net ", host.net_in, host.net_out),
        ):
            line += [(name, _MUTED), (f"{amounts.size(into)} {amounts.size(out)}/s", _TEXT)]
        return line


def _filling(to_full: float | None) -> list[Run]:
    if to_full is None or to_full > SOON_S:
        return []
    ink = _ERROR if to_full < HASTE_S else _WARNING
    return [(f" · full in {amounts.duration(to_full)}", ink)]


def _meter(percent: float | None) -> list[Run]:
    full = round(_METER * min(percent or 0.0, 100.0) / 100)
    bar: list[Run] = [("━" * full, _BAR), ("─" * (_METER - full), _MUTED)]
    return [*(run for run in bar if run[0]), (_percent(percent), _TEXT)]


def _percent(percent: float | None) -> str:
    return f" {amounts.UNKNOWN:>5}" if percent is None else f" {percent:3.0f} %"


def _filled(used: int | None, total: int | None) -> list[Run]:
    return [(f"{amounts.gibibytes(used)}/{amounts.gibibytes(total)} GiB", _TEXT)]


def _cut(row: Sequence[Run], width: int) -> Row:
    """``row`` in exactly ``width`` cells."""
    cut: list[Run] = []
    for text, ink in row:
        text = set_cell_size(text, min(cell_len(text), width))
        width -= cell_len(text)
        cut.append((text, ink))
    return (*cut, (" " * width, _TEXT))


def _bars(percents: Sequence[float], width: int) -> str:
    """A bar a core, or of several cores their mean, in at most ``width`` characters."""
    if not percents or width < 1:
        return ""
    count = min(width, len(percents))
    edges = [index * len(percents) // count for index in range(count + 1)]
    groups = (percents[a:b] for a, b in pairwise(edges))
    return "".join(_BARS[_level(sum(group) / len(group))] for group in groups)


def _level(percent: float) -> int:
    return min(7, round(7 * max(percent, 0.0) / 100))
