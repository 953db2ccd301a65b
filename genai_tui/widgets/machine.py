"""This machine in a few lines of text: its GPUs, processor, memory and disk."""

from genai_tui import amounts
from genai_tui.telemetry.record import Gpu, Host, Telemetry
from genai_tui.widgets.field import Field, Part, entitle

_COARSE = 5.0
"""Percent below which a change of a busy machine's processor is not worth a repaint."""
_WIDE = 72
_BAR = 6


class MachinePanel(Field):
    """What a sample of telemetry says; numbers that only flicker are held."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._cpu: float | None = None
        self._sample: Telemetry | None = None
        self._count = 0

    def on_mount(self) -> None:
        entitle(self, "machine")

    def on_resize(self) -> None:
        if self._sample is not None:
            self.show_sample(self._sample)

    def show_sample(self, sample: Telemetry) -> None:
        self._sample = sample
        cpu = sample.host.cpu
        if cpu is None or self._cpu is None or abs(cpu - self._cpu) >= _COARSE:
            self._cpu = cpu
        lines = _gpu_lines(sample) + _host_lines(sample.host, self._cpu)
        if self.size.width >= _WIDE:
            lines = _wide(sample, self._cpu)
        parts: list[Part] = []
        for line in lines:
            parts += [*line, "\n"]
        self.show(*parts[:-1], layout=len(lines) != self._count)
        self._count = len(lines)


def gpu_name(gpu: Gpu) -> str:
    """ "GPU 0 H100": the maker is known."""
    name = gpu.name.removeprefix("NVIDIA ").removeprefix("GeForce ")
    return f"GPU {gpu.index} {name}".rstrip()


def _gpu_lines(sample: Telemetry) -> list[list[Part]]:
    if not sample.gpus:
        return [[sample.no_gpu]]
    lines: list[list[Part]] = []
    for gpu in sample.gpus:
        lines.append([(gpu_name(gpu), "bold")])
        lines.append(["  ", *_meter(gpu.utilisation), "  ", _memory(gpu)])
        lines.append([f"  {_power(gpu)}  {_temperature(gpu)}"])
        if gpu.problem:
            lines.append([(f"  {gpu.problem}", "$text-warning")])
    return lines


def _host_lines(host: Host, cpu: float | None) -> list[list[Part]]:
    cores = f" of {host.cores} cores" if host.cores else ""
    used, total = amounts.gibibytes(host.memory_used), amounts.gibibytes(host.memory_total)
    return [
        [("CPU   ", "$text-muted"), *_meter(cpu), cores],
        [("memory", "$text-muted"), f" {used} of {total} GiB"],
        [("disk  ", "$text-muted"), f" {amounts.size(host.disk_free)} free"],
    ]


def _wide(sample: Telemetry, cpu: float | None) -> list[list[Part]]:
    """One line a GPU and one for the rest, where there is width but no height."""
    host = sample.host
    used, total = amounts.gibibytes(host.memory_used), amounts.gibibytes(host.memory_total)
    rest: list[Part] = [
        ("CPU ", "$text-muted"),
        *_meter(cpu),
        ("  memory ", "$text-muted"),
        f"{used} of {total} GiB",
        ("  disk ", "$text-muted"),
        f"{amounts.size(host.disk_free)} free",
    ]
    if not sample.gpus:
        return [[sample.no_gpu, "  ", *rest]]
    gpus: list[list[Part]] = [
        [
            (gpu_name(gpu), "bold"),
            "  ",
            *_meter(gpu.utilisation),
            f"  {_memory(gpu)}  {_power(gpu)}  {_temperature(gpu)}",
        ]
        for gpu in sample.gpus
    ]
    return [*gpus, rest]


def _meter(percent: float | None) -> list[Part]:
    if percent is None:
        return [("─" * _BAR, "$text-muted"), f" {amounts.UNKNOWN:>5}"]
    full = round(_BAR * min(percent, 100.0) / 100)
    bar: list[Part] = [("━" * full, "$primary")] if full else []
    rest: list[Part] = [("─" * (_BAR - full), "$text-muted")] if full < _BAR else []
    return [*bar, *rest, f" {percent:3.0f} %"]


def _memory(gpu: Gpu) -> str:
    used, total = amounts.gibibytes(gpu.memory_used), amounts.gibibytes(gpu.memory_total)
    return f"{used}/{total} GiB"


def _power(gpu: Gpu) -> str:
    if gpu.power is None:
        return f"{amounts.UNKNOWN} W"
    limit = f"/{gpu.power_limit:.0f}" if gpu.power_limit else ""
    return f"{gpu.power:.0f}{limit} W"


def _temperature(gpu: Gpu) -> str:
    return f"{amounts.UNKNOWN if gpu.temperature is None else f'{gpu.temperature:.0f}'} °C"
