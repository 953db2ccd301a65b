"""GPUs asked in a thread of their own, so that a driver that hangs delays nothing else."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from genai_tui.telemetry.gpus import Gpus
from genai_tui.telemetry.record import Gpu

PATIENCE_S = 0.8  # the wait for an answer, once a sample
STALE_S = 5.0  # how long the answer before passes for today's
WAITING = "the driver has not answered yet"


class Answered(NamedTuple):
    """What the GPUs do, or why there are none."""

    gpus: list[Gpu]
    problem: str = ""


class PatientGpus:
    """Gives the newest answer there is. A thread that hangs in a driver ends with the process."""

    def __init__(
        self,
        gpus: Gpus,
        patience: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gpus = gpus
        self._patience = patience
        self._clock = clock
        self._newest = Answered([], WAITING)
        self._asked = clock()
        self._question = threading.Semaphore(0)
        self._answered = threading.Event()
        self._answered.set()
        self._thread: threading.Thread | None = None

    def sample(self) -> Answered:
        """Never raises, and waits no longer than its patience."""
        if self._answered.is_set():
            self._answered.clear()
            self._asked = self._clock()
            self._question.release()
        self._start()
        if self._answered.wait(self._patience):
            return self._newest
        silence = self._clock() - self._asked
        return self._newest if silence < STALE_S else _silent(self._newest, silence)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._answer, name="driver", daemon=True)
            self._thread.start()

    def _answer(self) -> None:
        while self._question.acquire():
            self._newest = Answered(self._gpus.sample(), self._gpus.problem)
            self._answered.set()


def _silent(before: Answered, seconds: float) -> Answered:
    """The cards as they were called, with nothing known of them."""
    problem = f"the driver has not answered for {seconds:.0f} s"
    gpus = [
        Gpu(each.uuid, each.index, each.name, problem=problem, parent=each.parent)
        for each in before.gpus
    ]
    return Answered(gpus, "" if gpus else problem)
