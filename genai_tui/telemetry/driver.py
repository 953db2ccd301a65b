"""What we ask of a vendor's management library: plain units, one kind of error."""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Protocol, TypeVar

from genai_tui.telemetry.record import GpuProcess

Answer = TypeVar("Answer")


class Code(IntEnum):
    """Why a library refuses, numbered as NVIDIA does; ours begin at 1001."""

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
    AMD_NOT_LOADED = 1001
    APPLE = 1002


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
    Code.AMD_NOT_LOADED: "the AMD driver is not loaded: sudo modprobe amdgpu",
    Code.APPLE: "GPUs of Apple are not supported: macOS tells only root what they do",
}


class DriverError(Exception):
    """A call that a library refused; ``code`` says why."""

    def __init__(self, code: int) -> None:
        super().__init__(phrase(code))
        self.code = code


class Memory(NamedTuple):
    """Bytes of a GPU's memory."""

    used: int
    total: int


class Load(NamedTuple):
    """Per cent of the time in which a kernel ran, and in which memory was read or written."""

    kernels: float
    memory: float | None


class Traffic(NamedTuple):
    """Bytes a second over the bus, into the GPU and out of it."""

    into: float
    out: float


class Driver(Protocol):
    """The calls we make; each may raise DriverError. A ``device`` is good until ``stop``."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def count(self) -> int: ...
    def device(self, index: int) -> object: ...
    def uuid(self, device: object) -> str: ...
    def name(self, device: object) -> str: ...
    def load(self, device: object) -> Load: ...
    def memory(self, device: object) -> Memory: ...
    def temperature(self, device: object) -> float:
        """Degrees Celsius."""
        ...

    def power(self, device: object) -> float:
        """Watts."""
        ...

    def power_limit(self, device: object) -> float:
        """Watts."""
        ...

    def clock(self, device: object) -> int:
        """MHz of what computes."""
        ...

    def memory_clock(self, device: object) -> int:
        """MHz."""
        ...

    def fan(self, device: object) -> float:
        """Per cent of its full speed."""
        ...

    def traffic(self, device: object) -> Traffic: ...
    def throttling(self, device: object) -> list[str]:
        """What holds the clocks down, in words; empty if nothing does."""
        ...

    def processes(self, device: object) -> list[GpuProcess]: ...
    def mig(self, device: object) -> bool:
        """Is the card divided into instances?"""
        ...

    def mig_slots(self, device: object) -> int: ...
    def mig_device(self, device: object, slot: int) -> object: ...
    def mig_ids(self, device: object) -> tuple[int, int]:
        """The numbers of an instance within its card: GPU instance, compute instance."""
        ...


def phrase(code: int) -> str:
    """What a code means, with the remedy where there is one."""
    return _PHRASES.get(code, f"error {code} of the driver")


def attempt(question: Callable[[], Answer]) -> Answer | None:
    """The answer, or None where the library has none."""
    try:
        return question()
    except DriverError:
        return None
