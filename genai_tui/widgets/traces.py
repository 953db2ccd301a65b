"""What GPUs and machine did in the last ten minutes, folded from samples of telemetry."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from genai_tui.telemetry.record import Gpu, Host, Telemetry
from genai_tui.widgets.meters import BIN_SECONDS, Bins

MINUTES = 10
SHOWN = int(60 * MINUTES / BIN_SECONDS)
GIB, GB, MB = float(2**30), 1e9, 1e6
HOST = ""
LEAST_FILLING_S = 60.0
"""How long a disk must have been seen filling before anything is said of its end."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something measured: how it is called, its unit, and the most that it can be, if known."""

    name: str
    unit: str
    most: float | None = None


OF_GPU: dict[str, tuple[Quantity, Callable[[Gpu], float | None]]] = {
    "utilisation": (Quantity("util", "%", 100.0), lambda gpu: gpu.utilisation),
    "memory": (Quantity("memory", "GiB"), lambda gpu: _in(GIB, gpu.memory_used)),
    "memory busy": (Quantity("mem busy", "%", 100.0), lambda gpu: gpu.memory_busy),
    "power": (Quantity("power", "W"), lambda gpu: _whole(gpu.power)),
    "temperature": (Quantity("temp", "°C", 100.0), lambda gpu: gpu.temperature),
    "clock": (Quantity("SM clock", "GHz"), lambda gpu: _in(1e3, gpu.clock)),
    "memory clock": (Quantity("mem clock", "GHz"), lambda gpu: _in(1e3, gpu.memory_clock)),
    "fan": (Quantity("fan", "%", 100.0), lambda gpu: gpu.fan),
    "PCIe in": (Quantity("PCIe in", "GB/s"), lambda gpu: _in(GB, gpu.pcie_in)),
    "PCIe out": (Quantity("PCIe out", "GB/s"), lambda gpu: _in(GB, gpu.pcie_out)),
}
OF_HOST: dict[str, tuple[Quantity, Callable[[Host], float | None]]] = {
    "cpu": (Quantity("host CPU", "%", 100.0), lambda host: _whole(host.cpu)),
    "host memory": (Quantity("host mem", "GiB"), lambda host: _in(GIB, host.memory_used)),
    "disk read": (Quantity("read", "MB/s"), lambda host: _in(MB, host.disk_read)),
    "disk write": (Quantity("write", "MB/s"), lambda host: _in(MB, host.disk_write)),
    "net in": (Quantity("net in", "MB/s"), lambda host: _in(MB, host.net_in)),
    "net out": (Quantity("net out", "MB/s"), lambda host: _in(MB, host.net_out)),
}


class Traces:
    """A short memory for every quantity of every device; samples come oldest first."""

    def __init__(self) -> None:
        self._bins: dict[tuple[str, str], Bins] = {}
        self._free: list[tuple[float, int]] = []

    def fold(self, samples: Iterable[Telemetry]) -> None:
        for sample in samples:
            for gpu in sample.gpus:
                for name, (_, value) in OF_GPU.items():
                    self._push(key_of(gpu), name, sample.t, value(gpu))
            for name, (_, value) in OF_HOST.items():
                self._push(HOST, name, sample.t, value(sample.host))
            self._watch_disk(sample)

    def refold(self, samples: Iterable[Telemetry]) -> None:
        """Forgets everything, and begins with these."""
        self._bins.clear()
        self._free.clear()
        self.fold(samples)

    def last(self, key: str, name: str) -> float | None:
        """The newest value; None if it is not known."""
        bins = self._bins.get((key, name))
        return bins.last if bins else None

    def course(self, key: str, name: str) -> np.ndarray:
        """The last ten minutes, float64 [SHOWN], oldest first; NaN where unknown."""
        bins = self._bins.get((key, name))
        return bins.newest(SHOWN) if bins else np.full(SHOWN, np.nan)

    def is_known(self, key: str, name: str) -> bool:
        """Whether there was ever a value."""
        return bool(np.isfinite(self.course(key, name)).any())

    def seconds_to_full(self) -> float | None:
        """When the disk is full if it goes on like this; None if it does not fill, or too slowly
        to tell."""
        if not self._free:
            return None
        (began, before), (now, free) = self._free[0], self._free[-1]
        if now - began < LEAST_FILLING_S or free >= before:
            return None
        return free / ((before - free) / (now - began))

    def _push(self, key: str, name: str, t: float, value: float | None) -> None:
        bins = self._bins.get((key, name))
        if bins is None:
            bins = self._bins[key, name] = Bins()
        bins.push(t, value)

    def _watch_disk(self, sample: Telemetry) -> None:
        free = sample.host.disk_free
        if free is None or (self._free and sample.t < self._free[-1][0] + BIN_SECONDS):
            return
        self._free.append((sample.t, free))
        while self._free[0][0] < sample.t - 60 * MINUTES:
            self._free.pop(0)


def key_of(gpu: Gpu) -> str:
    """What tells a GPU from the others."""
    return gpu.uuid or f"#{gpu.index}"


def _whole(value: float | None) -> float | None:
    return None if value is None else float(round(value))


def _in(unit: float, value: float | None) -> float | None:
    """With the digits that do not only flicker."""
    if value is None:
        return None
    value /= unit
    return round(value, 2 if value < 10 else 1 if value < 100 else 0)
