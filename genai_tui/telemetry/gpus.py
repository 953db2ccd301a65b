"""The GPUs of this machine, sampled through the libraries of their makers."""

import sys
import time
from collections.abc import Callable, Sequence

from genai_tui.telemetry.amd import Amd
from genai_tui.telemetry.answers import Answers
from genai_tui.telemetry.devices import MIG_PROBLEM, Device, visible
from genai_tui.telemetry.driver import Code, Driver, phrase
from genai_tui.telemetry.nvml import Nvml
from genai_tui.telemetry.record import Gpu
from genai_tui.telemetry.session import Session

SLOW_S = 3.0  # power and processes take the driver milliseconds, and change slowly
LAZY_S = 5.0  # what takes tens of milliseconds, or hardly ever changes
HIDDEN = "CUDA_VISIBLE_DEVICES hides every GPU"
NONE = phrase(Code.NOT_FOUND)

DRIVERS: Sequence[Callable[[], Driver]] = (Nvml, Amd)


class Gpus:
    """For one thread: a call may hang with the driver, as long as the driver hangs."""

    def __init__(
        self,
        setting: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        drivers: Sequence[Callable[[], Driver]] = DRIVERS,
    ) -> None:
        """``setting``: which GPUs, in the form of CUDA_VISIBLE_DEVICES; None for all."""
        self.problem = ""
        self._setting = setting
        self._clock = clock
        self._sessions = [Session(driver) for driver in drivers]
        self._answers: dict[str, Answers] = {}

    def sample(self) -> list[Gpu]:
        """What each GPU does; where the list is empty, ``problem`` says why. Never raises."""
        now = self._clock()
        gpus = [gpu for session in self._sessions for gpu in self._of(session, now)]
        self.problem = "" if gpus else self._why_none()
        return gpus

    def _of(self, session: Session, now: float) -> list[Gpu]:
        """The GPUs of one maker."""
        driver = session.ready(now)
        if driver is None:
            return []
        shown = visible(session.devices, self._setting)
        gpus = [self._sample(driver, device, now) for device in shown]
        session.report(now, lost=any(self._is_lost(device) for device in shown))
        return gpus

    def _why_none(self) -> str:
        problems = {session.problem for session in self._sessions} - {NONE, ""}
        if problems:
            return "; ".join(sorted(problems))
        if any(not session.problem for session in self._sessions):
            return HIDDEN
        return phrase(Code.APPLE) if sys.platform == "darwin" else NONE

    def _sample(self, driver: Driver, device: Device, now: float) -> Gpu:
        if device.handle is None:
            return _identity(device, device.problem)
        answers = self._answers.setdefault(device.key, Answers())
        answers.begin(device.handle, now)
        return (_instance if device.parent else _card)(driver, device, answers)

    def _is_lost(self, device: Device) -> bool:
        return device.handle is None or self._answers[device.key].lost


def _card(driver: Driver, device: Device, answers: Answers) -> Gpu:
    memory = answers.ask("memory", driver.memory)
    load = answers.ask("utilisation", driver.load)
    traffic = answers.ask("PCIe", driver.traffic, LAZY_S)
    return Gpu(
        uuid=device.uuid,
        index=device.index,
        name=device.name,
        memory_used=memory.used if memory else None,
        memory_total=memory.total if memory else None,
        utilisation=load.kernels if load else None,
        memory_busy=load.memory if load else None,
        temperature=answers.ask("temperature", driver.temperature),
        power=answers.ask("power", driver.power, SLOW_S),
        power_limit=answers.ask("power limit", driver.power_limit, SLOW_S),
        clock=answers.ask("clock", driver.clock),
        memory_clock=answers.ask("memory clock", driver.memory_clock, LAZY_S),
        fan=answers.ask("fan", driver.fan, LAZY_S),
        pcie_in=traffic.into if traffic else None,
        pcie_out=traffic.out if traffic else None,
        throttling=answers.ask("throttling", driver.throttling),
        processes=answers.ask("processes", driver.processes, SLOW_S),
        problem=answers.problem or (MIG_PROBLEM if device.divided else ""),
    )


def _instance(driver: Driver, device: Device, answers: Answers) -> Gpu:
    """A MIG instance has memory and processes; the rest is the card's."""
    memory = answers.ask("memory", driver.memory)
    return Gpu(
        uuid=device.uuid,
        index=device.index,
        name=device.name,
        memory_used=memory.used if memory else None,
        memory_total=memory.total if memory else None,
        processes=answers.ask("processes", driver.processes, SLOW_S),
        problem=answers.problem or MIG_PROBLEM,
        parent=device.parent,
    )


def _identity(device: Device, problem: str) -> Gpu:
    return Gpu(uuid=device.uuid, index=device.index, name=device.name, problem=problem)
