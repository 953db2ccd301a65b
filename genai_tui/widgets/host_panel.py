"""The machine in two or three lines: processor and cores, memory, disks, network."""

from collections.abc import Sequence
from itertools import pairwise

from genai_tui import amounts
from genai_tui.telemetry.record import Host, Snapshot
from genai_tui.widgets.field import Field, Part
from genai_tui.widgets.traces import Traces

_BARS = "▁▂▃▄▅▆▇█"
_METER = 8
ROOMY = 90
SOON_S = 7 * 86_400.0
"""A disk that is full later than this is not worth a word."""
HASTE_S = 86_400.0
"""One that is full sooner deserves a colour."""


class HostPanel(Field):
    """What a snapshot says of the host."""

    def __init__(self, traces: Traces, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._traces = traces
        self._cores: Sequence[float] = []
        self._snapshot: Snapshot | None = None

    def show_sample(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._cores = snapshot.cores or self._cores
        host = snapshot.host
        lines = [self._first(host), self._second(host)]
        parts: list[Part] = []
        for line in lines:
            parts += [*line, "\n"]
        self.show(*parts[:-1])

    def on_resize(self) -> None:
        if self._snapshot is not None:
            self.show_sample(self._snapshot)

    def _first(self, host: Host) -> list[Part]:
        """The bars of the cores get the room that is left."""
        line: list[Part] = [
            ("CPU ", "$text-muted"),
            *_meter(host.cpu),
            (f" of {host.cores or amounts.UNKNOWN} cores", "$text-muted"),
            ("  load ", "$text-muted"),
            amounts.UNKNOWN if host.load is None else f"{host.load:.1f}",
            ("  memory ", "$text-muted"),
            *_filled(host.memory_used, host.memory_total),
            ("  swap ", "$text-muted"),
            *(_filled(host.swap_used, host.swap_total) if host.swap_total else ["none"]),
        ]
        taken = sum(len(part if isinstance(part, str) else part[0]) for part in line)
        label = "  cores "
        room = self.size.width - taken - len(label)
        return (
            [*line, (label, "$text-muted"), (_bars(self._cores, room), "$text-accent")]
            if room > 1
            else line
        )

    def _second(self, host: Host) -> list[Part]:
        """That the disk fills takes the place of its size where there is not room for both."""
        line: list[Part] = [("disk ", "$text-muted"), f"{amounts.size(host.disk_free)} free"]
        filling = _filling(self._traces.seconds_to_full())
        if not filling or self.size.width >= ROOMY:
            line.append((f" of {amounts.size(host.disk_total)}", "$text-muted"))
        line += filling
        for name, into, out in (
            ("  r/w ", host.disk_read, host.disk_write),
            ("  net ", host.net_in, host.net_out),
        ):
            line += [(name, "$text-muted"), f"{amounts.size(into)} {amounts.size(out)}/s"]
        return line


def _filling(to_full: float | None) -> list[Part]:
    if to_full is None or to_full > SOON_S:
        return []
    ink = "$text-error" if to_full < HASTE_S else "$text-warning"
    return [(f" · full in {amounts.duration(to_full)}", ink)]


def _meter(percent: float | None) -> list[Part]:
    if percent is None:
        return [("─" * _METER, "$text-muted"), f" {amounts.UNKNOWN:>5}"]
    full = round(_METER * min(percent, 100.0) / 100)
    bar: list[Part] = [("━" * full, "$primary"), ("─" * (_METER - full), "$text-muted")]
    return [part for part in bar if part[0]] + [f" {percent:3.0f} %"]


def _filled(used: int | None, total: int | None) -> list[Part]:
    return [f"{amounts.gibibytes(used)}/{amounts.gibibytes(total)} GiB"]


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
