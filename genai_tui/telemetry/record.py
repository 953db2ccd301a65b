"""One sample of telemetry: every field is optional, and what is unknown is None, never 0."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

# Bounds, because a sample may come from a damaged or hostile file.
Percent = Annotated[float, Meta(ge=0)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Watts = Annotated[float, Meta(ge=0)]
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
    problem: str = ""  # one phrase: why fields are unknown
    parent: str = ""


class Host(Struct, frozen=True):
    """The machine; ``disk_*`` belong to the file system of the sampled folder."""

    cpu: Percent | None = None  # % of all cores
    cores: Count | None = None  # logical
    load: float | None = None  # average of one minute
    memory_used: Bytes | None = None
    memory_total: Bytes | None = None
    disk_free: Bytes | None = None  # for this user
    disk_total: Bytes | None = None


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


_decoder = msgspec.json.Decoder(Telemetry)


def encode(sample: Telemetry) -> bytes:
    """``sample`` as one line of JSON, without the newline."""
    return msgspec.json.encode(sample)


def decode(line: bytes) -> Telemetry | None:
    """The sample in ``line``, or None if it is damaged."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
