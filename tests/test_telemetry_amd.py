"""AMD's cards through a stand-in for amdsmi, which answers as the source of amdsmi 7.0 does."""

import enum
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from genai_tui.telemetry.amd import Amd
from genai_tui.telemetry.driver import Driver
from genai_tui.telemetry.gpus import Gpus
from genai_tui.telemetry.record import Gpu, GpuProcess

MIB = 2**20


class AnyError(Exception):
    """The package's own root of errors."""


class LibraryError(AnyError):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.err_code = code


class Temperature(enum.IntEnum):
    EDGE = 0
    HOTSPOT = 1


class Metric(enum.IntEnum):
    CURRENT = 0


class Clock(enum.IntEnum):
    GFX = 0
    MEM = 4


ANSWERS: dict[str, Any] = {
    "amdsmi_init": None,
    "amdsmi_shut_down": None,
    "amdsmi_get_processor_handles": ["first", "second"],
    "amdsmi_get_gpu_device_uuid": lambda device: f"uuid-{device}",
    "amdsmi_get_gpu_asic_info": {"market_name": "Instinct MI300X"},
    "amdsmi_get_gpu_activity": {"gfx_activity": 88, "umc_activity": 31, "mm_activity": "N/A"},
    "amdsmi_get_gpu_vram_usage": {"vram_total": 196_592, "vram_used": 1000},
    "amdsmi_get_temp_metric": lambda _, kind, metric: 71 if kind is Temperature.HOTSPOT else 55,
    "amdsmi_get_power_info": {"current_socket_power": 512, "average_socket_power": "N/A"},
    "amdsmi_get_power_cap_info": {"power_cap": 750_000_000},
    "amdsmi_get_clock_info": lambda _, kind: {"clk": 2100 if kind is Clock.GFX else 1300},
    "amdsmi_get_gpu_fan_speed": 51,
    "amdsmi_get_gpu_fan_speed_max": 255,
    "amdsmi_get_violation_status": {"active_ppt_pwr": True, "active_hbm_thrm": "N/A"},
    "amdsmi_get_gpu_process_list": [
        {"name": "python", "pid": 4242, "memory_usage": {"vram_mem": 7 * MIB, "gtt_mem": 0}}
    ],
}


class Library:
    """The stand-in; tests change its answers, an exception among them is raised."""

    def __init__(self) -> None:
        self.answers = dict(ANSWERS)
        self.module = ModuleType("amdsmi")
        self.module.__dict__.update(
            AmdSmiException=AnyError,
            AmdSmiTemperatureType=Temperature,
            AmdSmiTemperatureMetric=Metric,
            AmdSmiClkType=Clock,
            **{name: self._answering(name) for name in ANSWERS},
        )

    def _answering(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setitem(sys.modules, "amdsmi", library.module)
    return library


@pytest.fixture
def gpus(library: Library) -> Gpus:
    now: Iterator[float] = iter(range(0, 100_000, 100))
    return Gpus(clock=lambda: next(now), drivers=[Amd])


def test_every_field_in_its_unit(gpus: Gpus) -> None:
    first, second = gpus.sample()
    assert first == Gpu(
        uuid="uuid-first",
        index=0,
        name="Instinct MI300X",
        utilisation=88.0,
        memory_used=1000 * MIB,
        memory_total=196_592 * MIB,
        power=512.0,
        power_limit=750.0,
        temperature=71.0,
        processes=[GpuProcess(4242, 7 * MIB)],
        memory_busy=31.0,
        clock=2100,
        memory_clock=1300,
        fan=20.0,
        throttling=["power cap"],
    )
    assert (second.uuid, second.index) == ("uuid-second", 1)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("amdsmi_get_gpu_activity", {"utilisation", "memory_busy"}),
        ("amdsmi_get_gpu_vram_usage", {"memory_used", "memory_total"}),
        ("amdsmi_get_power_info", {"power"}),
        ("amdsmi_get_power_cap_info", {"power_limit"}),
        ("amdsmi_get_temp_metric", {"temperature"}),
        ("amdsmi_get_clock_info", {"clock", "memory_clock"}),
        ("amdsmi_get_gpu_fan_speed", {"fan"}),
        ("amdsmi_get_violation_status", {"throttling"}),
        ("amdsmi_get_gpu_process_list", {"processes"}),
    ],
)
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LibraryError(2), ""),
        (LibraryError(10), "no permission"),
        (LibraryError(2**32 - 1), "unknown error"),
        (AnyError(), "unknown error"),
        (AttributeError(), "too old"),
    ],
)
def test_a_field_that_fails_takes_no_other_along(
    library: Library, gpus: Gpus, name: str, fields: set[str], error: Exception, reason: str
) -> None:
    library.answers[name] = error
    gpu = gpus.sample()[0]
    told = {field for field in gpu.__struct_fields__ if getattr(gpu, field) is not None}
    assert set(gpu.__struct_fields__) - told == fields | {"pcie_in", "pcie_out"}
    assert reason in gpu.problem
    assert bool(gpu.problem) == bool(reason)


def test_what_is_not_available_is_unknown_and_older_words_are_understood(
    library: Library, gpus: Gpus
) -> None:
    library.answers["amdsmi_get_gpu_activity"] = {"gfx_activity": "N/A", "umc_activity": "N/A"}
    library.answers["amdsmi_get_power_info"] = {"average_socket_power": 190}
    library.answers["amdsmi_get_power_cap_info"] = {"power_cap": 300}
    library.answers["amdsmi_get_gpu_fan_speed_max"] = 0
    library.answers["amdsmi_get_temp_metric"] = _only_edge
    gpu = gpus.sample()[0]
    assert (gpu.utilisation, gpu.memory_busy, gpu.fan) == (None, None, None)
    assert (gpu.power, gpu.power_limit, gpu.temperature) == (190.0, 300.0, 55.0)
    assert gpu.problem == ""


def _only_edge(_: object, kind: Temperature, metric: Metric) -> int:
    if kind is not Temperature.EDGE:
        raise LibraryError(2)
    return 55


def test_a_driver_that_is_not_loaded_is_said_and_comes_back(library: Library, gpus: Gpus) -> None:
    library.answers["amdsmi_init"] = LibraryError(34)
    assert gpus.sample() == []
    assert "sudo modprobe amdgpu" in gpus.problem
    library.answers["amdsmi_init"] = None
    assert len(gpus.sample()) == 2


def test_no_card_is_no_gpu(library: Library, gpus: Gpus) -> None:
    library.answers["amdsmi_get_processor_handles"] = []
    assert (gpus.sample(), gpus.problem) == ([], "no GPU")


def test_the_package_without_its_library_is_no_gpu_and_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = "print('Unable to find libamd_smi.so')\n{}['libamd_smi.so']\n"
    (tmp_path / "amdsmi.py").write_text(words)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    gpus = Gpus(drivers=[Amd])
    assert (gpus.sample(), gpus.problem) == ([], "no GPU")
    assert capfd.readouterr().out == ""


class Broken(Amd):
    """A maker whose library refuses to start."""

    def start(self) -> None:
        self._call("amdsmi_nothing")


@pytest.mark.usefixtures("library")
def test_cards_of_one_maker_stay_when_another_is_out_of_order() -> None:
    drivers: list[Callable[[], Driver]] = [Broken, Amd]
    gpus = Gpus(drivers=drivers)
    assert len(gpus.sample()) == 2
    assert gpus.problem == ""
    alone = Gpus(drivers=drivers[:1])
    assert (alone.sample(), alone.problem) == ([], "this driver is too old")


def test_a_mac_says_that_its_gpu_is_not_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    gpus = Gpus(drivers=())
    assert gpus.sample() == []
    assert "not supported" in gpus.problem
