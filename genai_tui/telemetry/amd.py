"""AMD's management library behind :class:`genai_tui.telemetry.driver.Driver`.

Written after the source of amdsmi 7.0 and tested with a stand-in for it; it has not met a card.
"""

import contextlib
import io
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, cast

from genai_tui.telemetry.driver import Code, DriverError, Load, Memory, Traffic
from genai_tui.telemetry.record import GpuProcess

Answer = TypeVar("Answer")

MEGABYTE = 2**20
MICROWATTS = 10_000  # no card takes so many watts: such a figure is in microwatts

# amdsmi_status_t, as far as it means something to us.
_CODES = {
    2: Code.NOT_SUPPORTED,
    3: Code.NOT_SUPPORTED,
    5: Code.FUNCTION_NOT_FOUND,
    10: Code.NO_PERMISSION,
    31: Code.NOT_FOUND,
    32: Code.UNINITIALIZED,
    34: Code.AMD_NOT_LOADED,
    40: Code.NOT_SUPPORTED,
    51: Code.AMD_NOT_LOADED,
    55: Code.NOT_SUPPORTED,
}

_REASONS = {
    "active_ppt_pwr": "power cap",
    "active_prochot_thrm": "processor too hot",
    "active_socket_thrm": "too hot (socket)",
    "active_vr_thrm": "too hot (voltage regulator)",
    "active_hbm_thrm": "too hot (memory)",
}


class Amd:
    """Calls of the amdsmi package, which comes with ROCm."""

    def __init__(self) -> None:
        """Load the package; raises DriverError where it or its library is not installed.

        Without its library the package prints two lines and fails by a KeyError.
        """
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self._smi = import_module("amdsmi")
        except (ImportError, OSError, KeyError, AttributeError):
            raise DriverError(Code.LIBRARY_NOT_FOUND) from None
        self._handles: list[object] = []

    def start(self) -> None:
        self._call("amdsmi_init")

    def stop(self) -> None:
        self._handles = []
        self._call("amdsmi_shut_down")

    def count(self) -> int:
        self._handles = self._call("amdsmi_get_processor_handles")
        return len(self._handles)

    def device(self, index: int) -> object:
        return self._handles[index]

    def uuid(self, device: object) -> str:
        return self._call("amdsmi_get_gpu_device_uuid", device)

    def name(self, device: object) -> str:
        return _known(self._call("amdsmi_get_gpu_asic_info", device)["market_name"])

    def load(self, device: object) -> Load:
        answer = self._call("amdsmi_get_gpu_activity", device)
        memory = answer["umc_activity"]
        return Load(
            float(_known(answer["gfx_activity"])), None if memory == "N/A" else float(memory)
        )

    def memory(self, device: object) -> Memory:
        answer = self._call("amdsmi_get_gpu_vram_usage", device)
        return Memory(answer["vram_used"] * MEGABYTE, answer["vram_total"] * MEGABYTE)

    def temperature(self, device: object) -> float:
        """Of the hottest spot, which is what throttles; of the edge where that is not told."""
        kinds, now = self._smi.AmdSmiTemperatureType, self._smi.AmdSmiTemperatureMetric.CURRENT
        return _first(
            lambda: float(self._call("amdsmi_get_temp_metric", device, kinds.HOTSPOT, now)),
            lambda: float(self._call("amdsmi_get_temp_metric", device, kinds.EDGE, now)),
        )

    def power(self, device: object) -> float:
        """The current power, on older cards the average."""
        answer = self._call("amdsmi_get_power_info", device)
        told = (answer.get(f"{kind}_socket_power", "N/A") for kind in ("current", "average"))
        return float(_known(next((watts for watts in told if watts not in ("N/A", 0)), "N/A")))

    def power_limit(self, device: object) -> float:
        cap = float(_known(self._call("amdsmi_get_power_cap_info", device)["power_cap"]))
        return cap / 1e6 if cap >= MICROWATTS else cap

    def clock(self, device: object) -> int:
        return self._clock(device, self._smi.AmdSmiClkType.GFX)

    def memory_clock(self, device: object) -> int:
        return self._clock(device, self._smi.AmdSmiClkType.MEM)

    def fan(self, device: object) -> float:
        most = self._call("amdsmi_get_gpu_fan_speed_max", device, 0)
        if not most:
            raise DriverError(Code.NOT_SUPPORTED)
        return round(100.0 * self._call("amdsmi_get_gpu_fan_speed", device, 0) / most, 1)

    def traffic(self, device: object) -> Traffic:
        """The library counts for a whole second while it is asked: that is not cheap."""
        raise DriverError(Code.NOT_SUPPORTED)

    def throttling(self, device: object) -> list[str]:
        answer = self._call("amdsmi_get_violation_status", device)
        return [words for key, words in _REASONS.items() if answer.get(key) is True]

    def processes(self, device: object) -> list[GpuProcess]:
        answer = self._call("amdsmi_get_gpu_process_list", device)
        return [GpuProcess(each["pid"], each["memory_usage"]["vram_mem"]) for each in answer]

    def mig(self, device: object) -> bool:
        """Partitions of a card are cards of their own to this library."""
        return False

    def mig_slots(self, device: object) -> int:
        return 0

    def mig_device(self, device: object, slot: int) -> object:
        raise DriverError(Code.NOT_FOUND)

    def mig_ids(self, device: object) -> tuple[int, int]:
        raise DriverError(Code.NOT_SUPPORTED)

    def _clock(self, device: object, kind: object) -> int:
        return int(_known(self._call("amdsmi_get_clock_info", device, kind)["clk"]))

    def _call(self, name: str, *arguments: object) -> Any:
        try:
            return getattr(self._smi, name)(*arguments)
        except self._smi.AmdSmiException as error:
            code = cast("int | None", getattr(error, "err_code", None))
            raise DriverError(_CODES.get(code or 0, Code.UNKNOWN)) from None
        except AttributeError:  # a package older than the call
            raise DriverError(Code.FUNCTION_NOT_FOUND) from None
        except UnicodeDecodeError:  # a name that is not text
            raise DriverError(Code.UNKNOWN) from None


def _known(value: Any) -> Any:
    """A value that the library may give as "N/A"."""
    if value == "N/A":
        raise DriverError(Code.NOT_SUPPORTED)
    return value


def _first(*questions: Callable[[], Answer]) -> Answer:
    """The answer to the first question that is supported."""
    for question in questions[:-1]:
        with contextlib.suppress(DriverError):
            return question()
    return questions[-1]()
