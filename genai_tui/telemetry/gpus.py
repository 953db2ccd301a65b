"""The GPUs, sampled: every field may be unknown by itself, and then a phrase says why."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from genai_tui.telemetry.devices import Device, visible
from genai_tui.telemetry.nvml import Code, Nvml, NvmlError, phrase
from genai_tui.telemetry.record import Gpu, GpuProcess
from genai_tui.telemetry.session import Session

Answer = TypeVar("Answer")

# The session or the card is gone: asking for another field only costs time.
_LOST = {
    Code.UNINITIALIZED,
    Code.DRIVER_NOT_LOADED,
    Code.GPU_IS_LOST,
    Code.VERSION_MISMATCH,
}
_OF_THE_CARD = _LOST | {Code.RESET_REQUIRED}  # said of the card, not of a field
MIG_PROBLEM = "utilisation: not measured under MIG"


class Questions:
    """What is asked of one device in one sample; the codes of refusals are kept by field."""

    def __init__(self, handle: object) -> None:
        self._handle = handle
        self._answered = False
        self.faults: dict[str, int] = {}

    def ask(self, field: str, question: Callable[[object], Answer]) -> Answer | None:
        if not _LOST.isdisjoint(self.faults.values()):
            return None
        try:
            answer = question(self._handle)
        except NvmlError as error:
            self.faults[field] = error.code
            return None
        self._answered = True
        return answer

    @property
    def lost(self) -> bool:
        """Would a new session with the driver help?"""
        return self._silent or not _LOST.isdisjoint(self.faults.values())

    @property
    def problem(self) -> str:
        """Why fields are unknown; what a GPU does not support is no problem."""
        for code in self.faults.values():
            if code in _OF_THE_CARD:
                return phrase(code)
        fields: dict[str, list[str]] = {}
        for field, code in self.faults.items():
            if code != Code.NOT_SUPPORTED:
                fields.setdefault(phrase(code), []).append(field)
        if self._silent:
            return "the GPU does not answer: " + "; ".join(fields)
        return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in fields.items())

    @property
    def _silent(self) -> bool:
        return not self._answered and bool(set(self.faults.values()) - {Code.NOT_SUPPORTED})


@dataclass(frozen=True, slots=True)
class Slow:
    """The answers that are asked for less often."""

    at: float
    power: float | None
    power_limit: float | None
    processes: list[GpuProcess] | None
    faults: dict[str, int]


class Gpus:
    """The GPUs of this machine, through NVML. For one thread: a call may hang with the driver."""

    def __init__(
        self,
        setting: str | None = None,
        slow_every: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``setting``: as CUDA_VISIBLE_DEVICES, None for all GPUs;
        ``slow_every``: seconds between questions for power and processes."""
        self.problem = ""
        self._setting = setting
        self._slow_every = slow_every
        self._clock = clock
        self._session = Session()
        self._slow: dict[str, Slow] = {}

    def sample(self) -> list[Gpu]:
        """What each GPU does; of an empty list ``problem`` says why it is. Never raises."""
        now = self._clock()
        nvml = self._session.ready(now)
        self.problem = self._session.problem
        if nvml is None:
            return []
        shown = visible(self._session.devices, self._setting)
        if not shown:
            self.problem = "CUDA_VISIBLE_DEVICES hides every GPU"
        asked = [self._ask(nvml, device, now) for device in shown]
        self._session.report(now, lost=any(lost for _, lost in asked))
        return [gpu for gpu, _ in asked]

    def _ask(self, nvml: Nvml, device: Device, now: float) -> tuple[Gpu, bool]:
        """The device's state, and whether the driver has lost it."""
        if device.handle is None:
            return _gpu(device, problem=device.problem), True
        questions = Questions(device.handle)
        memory = questions.ask("memory", nvml.memory)
        utilisation = temperature = None
        if not device.parent:
            utilisation = questions.ask("utilisation", nvml.utilisation)
            temperature = questions.ask("temperature", nvml.temperature)
        slow = self._slowly(nvml, device, questions, now)
        
        return gpu, questions.lost
