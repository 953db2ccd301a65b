"""One sample of telemetry: every field is optional, and what is unknown is None, never 0."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

# Bounds, because a sample may come from a damaged or hostile file.
Percent = Annotated[float, Meta(ge=0)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Watts = Annotated[float, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0)]  # bytes a second
Count64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]
UnixSeconds = Annotated[float, Meta(ge=0, le=1e11)]


class GpuProcess(Struct, frozen=True):
    """A process that computes on a GPU.

    ``pid`` is the driver's number: that of the host, even where this program runs in a container.
    """

    pid: Count
    memory: Bytes | None = None


class Gpu(Struct, frozen=True):
    """A card, or a MIG instance of one (``parent`` is then the card's UUID)."""

    uuid: str = ""
    index: Count = 0  # the driver's, in PCI order; an instance has its card's
    name: str = ""
    utilisation: Percent | None = None  # % of the time in which a kernel ran
    memory_used: Bytes | None = None
    memory_total: Bytes | None = None
    power: Watts | None = None
    power_limit: Watts | None = None
    temperature: float | None = None  # °C
    processes: list[GpuProcess] | None = None
    memory_busy: Percent | None = None  # % of the time in which memory was read or written
    clock: Count | None = None  # MHz, of what computes
    memory_clock: Count | None = None  # MHz
    fan: Percent | None = None  # % of full speed
    pcie_in: Rate | None = None
    pcie_out: Rate | None = None
    throttling: list[str] | None = None  # what holds the clocks down; empty if nothing does
    problem: str = ""  # one phrase: why fields are unknown
    parent: str = ""


class Host(Struct, frozen=True):
    """The machine; ``disk_free`` and ``disk_total`` are of the sampled folder's file system."""

    cpu: Percent | None = None  # % of all cores
    cores: Count | None = None  # logical
    load: float | None = None  # average of one minute
    memory_used: Bytes | None = None
    memory_total: Bytes | None = None
    disk_free: Bytes | None = None  # for this user
    disk_total: Bytes | None = None
    swap_used: Bytes | None = None
    swap_total: Bytes | None = None
    disk_read: Rate | None = None  # of all disks
    disk_write: Rate | None = None
    net_in: Rate | None = None  # of all interfaces but the loopback
    net_out: Rate | None = None


class Worker(Struct, frozen=True):
    """The training process together with its children."""

    pid: Count
    cpu: Percent | None = None  # % of one core
    memory: Bytes | None = None  # resident; pages that forked children share count for each


class Telemetry(Struct, frozen=True):
    """One sample; ``gpu_problem`` says why there are no GPUs in it."""

    t: UnixSeconds
    gpus: list[Gpu] = field(default_factory=list)
    gpu_problem: str = ""
    host: Host = Host()
    worker: Worker | None = None

    @property
    def no_gpu(self) -> str:
        """Why there is no GPU to show, in words that begin with "no GPU"."""
        known = self.gpu_problem not in ("", "no GPU")
        return f"no GPU: {self.gpu_problem}" if known else "no GPU"


class Process(Struct, frozen=True):
    """One process of this machine. ``started`` tells it from a later one with the same pid."""

    pid: Count
    parent: Count = 0
    started: Count64 = 0  # clock ticks since boot; 0 where the system does not tell
    since: UnixSeconds | None = None
    user: str = ""
    own: bool = False  # of the user who looks
    command: str = ""
    cpu: Percent | None = None  # % of one core
    memory: Bytes | None = None  # resident


class Snapshot(Telemetry, frozen=True):
    """A sample for who looks now: with what is too much to keep."""

    cores: list[Percent] | None = None  # % of each
    processes: list[Process] | None = None
    strangers: list[Count] = field(default_factory=list)  # pids on GPUs that are not ours to see


_decoder = msgspec.json.Decoder(Telemetry)
_snapshots = msgspec.json.Decoder(Snapshot)


def encode(sample: Telemetry) -> bytes:
    """``sample`` as one line of JSON, without the newline."""
    return msgspec.json.encode(sample)


def decode(line: bytes) -> Telemetry | None:
    """The sample in ``line``, or None if it is damaged."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_snapshot(line: bytes) -> Snapshot | None:
    """The snapshot in ``line``, or None if it is damaged."""
    try:
        return _snapshots.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
