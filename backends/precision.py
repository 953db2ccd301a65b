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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

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
    for index in range(torch.cuda.device_count()):
        yield f"cuda:{index}", torch.cuda.get_device_name(index)
    if torch.backends.mps.is_available():
        yield "mps", "Apple GPU"
    yield "cpu", f"{_cores()} cores"


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


def threads_of(asked: int) -> int:
    return asked or _cores()


def choose(asked: str, model: Model, batch: Batch, threads: int) -> Numerics:
    """The fastest way to compute a step of ``model``; ``asked`` is auto, float32 or bfloat16.

    On a CPU and with "auto" it times a copy of the model on ``batch``; the model is not touched.
    """
    device, image = batch.x.device, batch.x.dim() == 4
    if device.type != "cpu":
        fits = device.type == "cuda" and torch.cuda.is_bf16_supported()
        precision = ("bfloat16" if fits else "float32") if asked == "auto" else asked
        return Numerics(precision, image and device.type == "cuda", threads)
    if asked != "auto":
        return Numerics(asked, False, threads)
    return _fastest(list(_candidates(image, threads)), model, batch)


def _candidates(image: bool, threads: int) -> Iterator[Numerics]:
    layouts = (False, True) if image else (False,)
    for precision in ("float32", "bfloat16") if _native_bfloat16() else ("float32",):
        for channels_last in layouts:
            yield Numerics(precision, channels_last, threads)


def _fastest(candidates: Sequence[Numerics], model: Model, batch: Batch) -> Numerics:
    best, best_seconds, plain = candidates[0], float("inf"), float("inf")
    for candidate in candidates:
        seconds = _seconds_a_step(candidate, model, batch, limit=3 * best_seconds)
        plain = min(plain, seconds) if candidate is candidates[0] else plain
        if seconds < best_seconds and (candidate is candidates[0] or seconds * WORTH < plain):
            best, best_seconds = candidate, seconds
    return best


def _seconds_a_step(numerics: Numerics, model: Model, batch: Batch, limit: float) -> float:
    """Seconds of forward and backward, the least of three; the first one over ``limit`` ends it."""
    trial = copy.deepcopy(model)
    numerics.place(trial)
    times: list[float] = []
    for _ in range(4):
        begin = time.perf_counter()
        for phase in trial.phases():
            noise = torch.Generator(batch.x.device).manual_seed(0)
            x = numerics.arrange(batch.x)
            with numerics.autocast(batch.x.device):
                losses = phase.loss(Batch(x, batch.y, noise, batch.progress))
            losses["loss"].backward()
        times.append(time.perf_counter() - begin)
        if times[-1] > limit:
            break
    return min(times[1:] or times)


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
