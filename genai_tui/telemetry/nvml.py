"""NVIDIA's management library behind :class:`genai_tui.telemetry.driver.Driver`."""

from importlib import import_module
from typing import Any

from genai_tui.telemetry.driver import Code, DriverError, Load, Memory, Traffic
from genai_tui.telemetry.record import GpuProcess

# What an older driver says of the newer form of a call.
_OLDER = {Code.FUNCTION_NOT_FOUND, Code.NOT_SUPPORTED, Code.STRUCT_VERSION_MISMATCH}

# Bits of nvmlClocksEventReasons, the gravest first. An idle GPU and a synchronised group slow down
# for good reason.
_REASONS = {
    0x40: "too hot (hardware)",
    0x20: "too hot",
    0x80: "power brake",
    0x8: "hardware slowdown",
    0x4: "power cap",
    0x2: "clocks set by the user",
    0x100: "display clocks",
    0x200: "board limit",
    0x400: "reliability limit",
}


class Nvml:
    """Calls of nvidia-ml-py, each in its newest form that the driver has."""

    def __init__(self) -> None:
        """Load the Python binding; raises DriverError where it is not installed."""
        try:
            self._binding = import_module("pynvml")
        except ImportError:
            raise DriverError(Code.LIBRARY_NOT_FOUND) from None

    def start(self) -> None:
        self._call("nvmlInit")

    def stop(self) -> None:
        self._call("nvmlShutdown")

    def count(self) -> int:
        return self._call("nvmlDeviceGetCount")

    def device(self, index: int) -> object:
        return self._call("nvmlDeviceGetHandleByIndex", index)

    def uuid(self, device: object) -> str:
        return self._call("nvmlDeviceGetUUID", device)

    def name(self, device: object) -> str:
        return self._call("nvmlDeviceGetName", device)

    def load(self, device: object) -> Load:
        answer = self._call("nvmlDeviceGetUtilizationRates", device)
        return Load(float(answer.gpu), float(answer.memory))

    def memory(self, device: object) -> Memory:
        """As nvidia-smi counts: without what the driver reserves, unless the driver is old."""
        try:
            version = self._binding.nvmlMemory_v2
            answer = self._call("nvmlDeviceGetMemoryInfo", device, version)
        except DriverError as error:
            if error.code not in _OLDER:
                raise
            answer = self._call("nvmlDeviceGetMemoryInfo", device)
        return Memory(answer.used, answer.total)

    def temperature(self, device: object) -> float:
        sensor = self._binding.NVML_TEMPERATURE_GPU
        return float(self._call("nvmlDeviceGetTemperature", device, sensor))

    def power(self, device: object) -> float:
        return self._call("nvmlDeviceGetPowerUsage", device) / 1000

    def power_limit(self, device: object) -> float:
        return self._call("nvmlDeviceGetEnforcedPowerLimit", device) / 1000

    def clock(self, device: object) -> int:
        return self._call("nvmlDeviceGetClockInfo", device, self._binding.NVML_CLOCK_SM)

    def memory_clock(self, device: object) -> int:
        return self._call("nvmlDeviceGetClockInfo", device, self._binding.NVML_CLOCK_MEM)

    def fan(self, device: object) -> float:
        return float(self._call("nvmlDeviceGetFanSpeed", device))

    def traffic(self, device: object) -> Traffic:
        """Takes 40 ms: the driver counts 20 ms for each direction."""
        into = self._call(
            "nvmlDeviceGetPcieThroughput", device, self._binding.NVML_PCIE_UTIL_RX_BYTES
        )
        out = self._call(
            "nvmlDeviceGetPcieThroughput", device, self._binding.NVML_PCIE_UTIL_TX_BYTES
        )
        return Traffic(1000.0 * into, 1000.0 * out)

    def throttling(self, device: object) -> list[str]:
        bits = self._newest(
            "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlDeviceGetCurrentClocksThrottleReasons",
            device,
        )
        return [words for bit, words in _REASONS.items() if bits & bit]

    def processes(self, device: object) -> list[GpuProcess]:
        answer = self._newest(
            "nvmlDeviceGetComputeRunningProcesses_v3",
            "nvmlDeviceGetComputeRunningProcesses_v2",
            device,
        )
        return [GpuProcess(each.pid, each.usedGpuMemory) for each in answer]

    def mig(self, device: object) -> bool:
        return self._call("nvmlDeviceGetMigMode", device)[0] == 1

    def mig_slots(self, device: object) -> int:
        return self._call("nvmlDeviceGetMaxMigDeviceCount", device)

    def mig_device(self, device: object, slot: int) -> object:
        return self._call("nvmlDeviceGetMigDeviceHandleByIndex", device, slot)

    def mig_ids(self, device: object) -> tuple[int, int]:
        gpu = self._call("nvmlDeviceGetGpuInstanceId", device)
        return gpu, self._call("nvmlDeviceGetComputeInstanceId", device)

    def _newest(self, newer: str, older: str, device: object) -> Any:
        """The answer of a call that drivers before some version know by another name."""
        try:
            return self._call(newer, device)
        except DriverError as error:
            if error.code not in _OLDER:
                raise
        return self._call(older, device)

    def _call(self, name: str, *arguments: object) -> Any:
        try:
            return getattr(self._binding, name)(*arguments)
        except self._binding.NVMLError as error:
            raise DriverError(error.value) from None
        except AttributeError:  # a binding older than the call
            raise DriverError(Code.FUNCTION_NOT_FOUND) from None
        except UnicodeDecodeError:  # a name that is not text
            raise DriverError(Code.UNKNOWN) from None
