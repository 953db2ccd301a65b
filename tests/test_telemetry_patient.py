"""A driver that hangs costs its own thread, and is said to hang."""

import threading

import pytest

from genai_tui.telemetry.gpus import Gpus
from genai_tui.telemetry.patient import STALE_S, WAITING, Answered, PatientGpus
from genai_tui.telemetry.record import Gpu

CARD = Gpu("GPU-a", 0, "Stub", utilisation=37.0)


class Driven(Gpus):
    """GPUs that answer while they are free to."""

    def __init__(self) -> None:
        super().__init__(drivers=())
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Semaphore(0)

    def sample(self) -> list[Gpu]:
        self.begun.release()
        self.free.wait(15)
        return [CARD]


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


def test_a_quick_driver_is_waited_for(clock: list[float]) -> None:
    patient = PatientGpus(Driven(), 15, lambda: clock[0])
    assert patient.sample() == Answered([CARD])
    assert patient.sample() == Answered([CARD])


def test_a_driver_that_hangs_from_the_start_has_not_answered_yet(clock: list[float]) -> None:
    driven = Driven()
    driven.free.clear()
    patient = PatientGpus(driven, 0, lambda: clock[0])
    assert patient.sample() == Answered([], WAITING)
    clock[0] = STALE_S + 7
    assert patient.sample() == Answered([], "the driver has not answered for 12 s")
    driven.free.set()


def test_a_driver_that_hangs_later_keeps_its_cards_and_no_figure(clock: list[float]) -> None:
    driven = Driven()
    patient = PatientGpus(driven, 15, lambda: clock[0])
    patient.sample()
    driven.free.clear()
    patient = _impatient(patient)
    assert patient.sample() == Answered([CARD])  # the last answer, while it is young
    clock[0] = STALE_S
    problem = "the driver has not answered for 5 s"
    assert patient.sample() == Answered([Gpu("GPU-a", 0, "Stub", problem=problem)])
    assert driven.begun.acquire(timeout=15)
    assert driven.begun.acquire(timeout=15)
    assert not driven.begun.acquire(blocking=False)  # it is asked once, not again and again
    driven.free.set()
    patient = _impatient(patient, 15)
    assert patient.sample() == Answered([CARD])


def _impatient(patient: PatientGpus, seconds: float = 0.0) -> PatientGpus:
    patient._patience = seconds
    return patient


def test_without_any_driver_there_is_no_gpu() -> None:
    assert PatientGpus(Gpus(drivers=()), 15).sample() == Answered([], "no GPU")
