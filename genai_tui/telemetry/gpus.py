"""The GPUs of this machine, sampled through NVML."""

import time
from collections.abc import Callable

from genai_tui.telemetry.answers import Answers
from genai_tui.telemetry.devices import Device, visible
from genai_tui.telemetry.nvml import Nvml
from genai_tui.telemetry.record import Gpu
from genai_tui.telemetry.session import Session

SLOW_S = 3.0  # power and processes take the driver milliseconds, and change slowly
MIG_PROBLEM = "utilisation: not measured under MIG"


class Gpus:
    """For one thread: a call may hang with the driver, as long as the driver hangs."""

    def __init__(
        self, setting: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``setting``: which GPUs, in the form of CUDA_VISIBLE_DEVICES; None for all."""
        self.problem = ""
        self._setting = setting
        self._clock = clock
        self._session = Session()
        self._answers: dict[str, Answers] = {}

    def sample(self) -> list[Gpu]:
        """What each GPU does; where the list is empty, ``problem`` says why. Never raises."""
        now = self._clock()
        nvml = self._session.ready(now)
        self.problem = self._session.problem
        if nvml is None:
            return []
        shown = visible(self._session.devices, self._setting)
        if not shown:
            self.problem = "CUDA_VISIBLE_DEVICES hides every GPU"
        gpus = [self._sample(nvml, device, now) for device in shown]
        self._session.report(now, lost=any(self._is_lost(device) for device in shown))
        return gpus

    def _sample(self, nvml: Nvml, device: Device, now: float) -> Gpu:
        if device.handle is None:
            return _identity(device, device.problem)
        answers = self._answers.setdefault(device.key, Answers())
        answers.begin(device.handle, now)
        return _instance(nvml, device, answers) if device.parent else _card(nvml, device, answers)

    def _is_lost(self, device: Device) -> bool:
        return device.handle is None or self._answers[device.key].lost


def _card(nvml: Nvml, device: Device, answers: Answers) -> Gpu:
    memory = answers.ask("memory", nvml.memory)
    return Gpu(
        uuid=device.uuid,
        index=device.index,
        name=device.name,
        memory_used=memory.used if memory else None,
        memory_total=memory.total if memory else None,
        utilisation=answers.ask("utilisation", nvml.utilisation),
        temperature=answers.ask("temperature", nvml.temperature),
        power=answers.ask("power", nvml.power, SLOW_S),
        power_limit=answers.ask("power limit", nvml.power_limit, SLOW_S),
        processes=answers.ask("processes", nvml.processes, SLOW_S),
        problem=answers.problem or (MIG_PROBLEM if device.divided else ""),
    )


def _instance(nvml: Nvml, device: Device, answers: Answers) -> Gpu:
    """A MIG instance has memory and processes; the rest is the card's."""
    memory = answers.ask("memory", nvml.memory)
    return Gpu(
        uuid=device.uuid,
        index=device.index,
        name=device.name,
        memory_used=memory.used if memory else None,
        memory_total=memory.total if memory else None,
        processes=answers.ask("processes", nvml.processes, SLOW_S),
        problem=answers.problem or MIG_PROBLEM,
        parent=device.parent,
    )


def _identity(device: Device, problem: str) -> Gpu:
    return Gpu(uuid=device.uuid, index=device.index, name=device.name, problem=problem)
