"""Device and arithmetic of a training: chosen once, by measurement, and kept in the checkpoint.

On a CPU bfloat16 is 1.3 to 2.6 times faster where the processor has it and tens of times slower
where not, so a few steps are timed. The choice changes bits: a resumed run never chooses again.
"""

import contextlib
import copy
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backends.counting import counted
from backends.knobs import ConfigError
from backends.model import Batch, Model

WORTH = 1.1
"""How much faster than plain float32 another way must be to be chosen."""


@dataclass(frozen=True, slots=True)
class Numerics:
    """All that decides how a step is computed, down to the last bit."""

    precision: str  # "float32" or "bfloat16"
    channels_last: bool
    threads: int

    def state(self) -> dict[str, Any]:
        return asdict(self)

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(device.type, dtype=torch.bfloat16)

    def place(self, module: nn.Module) -> None:
        """Puts the weights of convolutions into the chosen memory format."""
        if self.channels_last:
            module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def arrange(self, x: Tensor) -> Tensor:
        if self.channels_last and x.dim() == 4:
            return x.contiguous(memory_format=torch.channels_last)
        return x

    @property
    def caption(self) -> str:
        layout = ", channels last" if self.channels_last else ""
        return f"{self.precision}{layout}, {self.threads} thread{'s' * (self.threads != 1)}"


def devices() -> Iterator[tuple[str, str]]:
    """(name, caption) of every device that can train here, the best first."""
    yield from _gpus()
    if torch.backends.mps.is_available():
        yield "mps", "Apple GPU"
    yield "cpu", f"{_cores()} cores"


def _gpus() -> list[tuple[str, str]]:
    try:
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    except RuntimeError:  # a driver that does not answer leaves the CPU to train on
        return []
    return [(f"cuda:{index}", name) for index, name in enumerate(names)]


def device_of(name: str) -> torch.device:
    """The device that ``name`` means; "auto" is the best there is.

    Raises:
        ConfigError: it is not there, naming those that are.
    """
    there = [device for device, _ in devices()]
    if name == "auto":
        return torch.device(there[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in there:
        raise ConfigError(f"there is no device {name!r} here; there is {', '.join(there)} and auto")
    return torch.device(wanted)


def choose(asked: str, model: Model, batch: Batch, threads: int) -> Numerics:
    """The fastest way to compute a step of ``model``.

    On a CPU what was left open is timed on a copy of the model: the precision and the layout where
    ``asked`` is "auto", one thread against all where ``threads`` is 0.
    """
    device, image = batch.x.device, batch.x.dim() == 4
    if device.type != "cpu":
        fits = device.type == "cuda" and _tensor_cores_take_bfloat16(device)
        precision = ("bfloat16" if fits else "float32") if asked == "auto" else asked
        return Numerics(precision, image and device.type == "cuda", threads or _cores())
    trial = _Trial(model, batch)
    first = threads or 1  # one thread is not disturbed by others who use the machine
    best = Numerics("float32" if asked == "auto" else asked, False, first)
    if asked == "auto":
        best = trial.fastest(best, _candidates(image, first))
    if not threads:
        best = trial.fastest(best, [replace(best, threads=_cores())])
    return best


def _candidates(image: bool, threads: int) -> list[Numerics]:
    return [
        Numerics(precision, channels_last, threads)
        for precision in (("float32", "bfloat16") if _native_bfloat16() else ("float32",))
        for channels_last in ((False, True) if image else (False,))
    ]


class _Trial:
    """Times single steps of a copy of a model; the model itself is not touched."""

    def __init__(self, model: Model, batch: Batch) -> None:
        self._model, self._batch = model, batch
        self._known: dict[Numerics, float] = {}

    def fastest(self, plain: Numerics, others: Sequence[Numerics]) -> Numerics:
        """``plain``, or the fastest of ``others`` if it is worth its while."""
        limit = self._seconds(plain, float("inf"))
        best, least = plain, limit / WORTH
        for other in counted(others, len(others)):
            seconds = self._seconds(other, 3 * limit)
            if seconds < least:
                best, least = other, seconds
        return best

    def _seconds(self, numerics: Numerics, limit: float) -> float:
        """The least of three steps after a first one; a first one over ``limit`` is enough."""
        if numerics in self._known:
            return self._known[numerics]
        torch.set_num_threads(numerics.threads)
        model = copy.deepcopy(self._model)
        numerics.place(model)
        times = [self._step(model, numerics)]
        while len(times) < 4 and times[0] <= limit:
            times.append(self._step(model, numerics))
        self._known[numerics] = min(times[1:] or times)
        return self._known[numerics]

    def _step(self, model: Model, numerics: Numerics) -> float:
        batch, begin = self._batch, time.perf_counter()
        noise = torch.Generator(batch.x.device).manual_seed(0)
        arranged = Batch(numerics.arrange(batch.x), batch.y, noise, batch.progress)
        for phase in model.phases():
            with numerics.autocast(batch.x.device):
                losses = phase.loss(arranged)
            losses["loss"].backward()
        return time.perf_counter() - begin


def _tensor_cores_take_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


def _native_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags or " bf16" in flags


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
