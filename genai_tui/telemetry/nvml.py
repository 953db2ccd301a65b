"""NVIDIA's management library, typed: answers in plain units, one kind of error."""

from collections.abc import Callable
from enum import IntEnum
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

from genai_tui.telemetry.record import GpuProcess

Answer = TypeVar("Answer")


class Code(IntEnum):
    """The return codes of NVML that mean something to us."""

    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    DRIVER_NOT_LOADED = 9
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    VERSION_MISMATCH = 18
    STRUCT_VERSION_MISMATCH = 25
    UNKNOWN = 999


# What an older driver says of the newer form of a call.
_OLDER = {Code.FUNCTION_NOT_FOUND, Code.NOT_SUPPORTED, Code.STRUCT_VERSION_MISMATCH}

_PHRASES: dict[int, str] = {
    Code.UNINITIALIZED: "the driver's library lost its session; reconnecting",
    Code.INVALID_ARGUMENT: "the driver knows nothing of it",
    Code.NOT_SUPPORTED: "not supported",
    Code.NO_PERMISSION: "no permission",
    Code.DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded: sudo modprobe nvidia",
    Code.NOT_FOUND: "no GPU",
    Code.LIBRARY_NOT_FOUND: "no GPU",
    Code.FUNCTION_NOT_FOUND: "this driver is too old",
    Code.GPU_IS_LOST: "the GPU is lost: look for Xid in dmesg, reboot",
    Code.RESET_REQUIRED: "the GPU needs a reset: nvidia-smi --gpu-reset, or reboot",
    Code.VERSION_MISMATCH: "driver/library version mismatch:"
    " the driver was updated, reboot or reload the driver",
    Code.UNKNOWN: "unknown error of the driver",
}


class NvmlError(Exception):
    """A call that NVML refused; ``code`` is its return code."""

    def __init__(self, code: int) -> None:
        super().__init__(phrase(code))
        self.code = code


class Memory(NamedTuple):
    """Bytes of a GPU's memory."""

    used: int
    total: int


def phrase(code: int) -> str:
    """What a return code means, with the remedy where there is one."""
    return _PHRASES.get(code, f"error {code} of the driver")


def attempt(question: Callable[[], Answer]) -> Answer | None:
    """The answer, or None where NVML has none."""
    try:
        return question()
    except NvmlError:
        return None


class Nvml:
    """The calls we make. A ``device`` is a handle of NVML's, good until ``stop``."""

    def __init__(self) -> None:
        """Load the Python binding; raises NvmlError where it is not installed."""
        try:
            self._binding = import_module("pynvml")
        except ImportError:
            raise NvmlError(Code.LIBRARY_NOT_FOUND) from None

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

    def utilisation(self, device: object) -> float:
        """Per cent."""
        return float(self._call("nvmlDeviceGetUtilizationRates", device).gpu)

    def memory(self, device: object) -> Memory:
        """As nvidia-smi counts: without what the driver reserves, unless the driver is old."""
        try:
            version = self._binding.nvmlMemory_v2
            answer = self._call("nvmlDeviceGetMemoryInfo", device, version)
        except NvmlError as error:
            if error.code not in _OLDER:
                raise
            answer = self._call("nvmlDeviceGetMemoryInfo", device)
        return Memory(answer.used, answer.total)

    def temperature(self, device: object) -> float:
        """Degrees Celsius."""
        sensor = self._binding.NVML_TEMPERATURE_GPU
        return float(self._call("nvmlDeviceGetTemperature", device, sensor))

    def power(self, device: object) -> float:
        """Watts."""
        return self._call("nvmlDeviceGetPowerUsage", device) / 1000

    def power_limit(self, device: object) -> float:
        """Watts."""
        return self._call("nvmlDeviceGetEnforcedPowerLimit", device) / 1000

    def processes(self, device: object) -> list[GpuProcess]:
        try:
            answer = self._call("nvmlDeviceGetComputeRunningProcesses_v3", device)
        except NvmlError as error:
            if error.code not in _OLDER:
                raise
            answer = self._call("nvmlDeviceGetComputeRunningProcesses_v2", device)
        return [GpuProcess(each.pid, each.usedGpuMemory) for each in answer]

    def mig(self, device: object) -> bool:
        """Is the card divided into instances?"""
        return self._call("nvmlDeviceGetMigMode", device)[0] == 1

    def mig_slots(self, device: object) -> int:
        return self._call("nvmlDeviceGetMaxMigDeviceCount", device)

    def mig_device(self, device: object, slot: int) -> object:
        return self._call("nvmlDeviceGetMigDeviceHandleByIndex", device, slot)

    def mig_ids(self, device: object) -> tuple[int, int]:
        """The numbers of an instance within its card: GPU instance, compute instance."""
        gpu = self._call("nvmlDeviceGetGpuInstanceId", device)
        return gpu, self._call("nvmlDeviceGetComputeInstanceId", device)

    def _call(self, name: str, *arguments: object) -> Any:
        try:
            return getattr(self._binding, name)(*arguments)
        except self._binding.NVMLError as error:
            raise NvmlError(error.value) from None
        except AttributeError:  # a binding older than the call
            raise NvmlError(Code.FUNCTION_NOT_FOUND) from None
        except UnicodeDecodeError:  # a name that is not text
            raise NvmlError(Code.UNKNOWN) from None
