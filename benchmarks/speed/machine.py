"""The machine that figures hold for, and one thread on it."""

import platform
import resource
import time
from pathlib import Path

import torch

from benchmarks.speed.turns import Clock

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""What decides how fast float32 and bfloat16 are on a CPU."""


def one_thread() -> None:
    """Pins PyTorch's threads, and with them the clock to the work; those of BLAS are pinned by the
    environment, before anything is imported."""
    torch.set_num_threads(1)


def clock_of(device: str) -> Clock:
    """What tells the seconds of work: the CPU time of the process, or the time that passes until a
    GPU has done what it was given."""
    if device == "cpu":
        return time.process_time

    def clock() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return clock


def peak_memory(device: str) -> int:
    """The most bytes that this process has had in the device's memory."""
    if device == "cpu":
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return torch.cuda.max_memory_allocated(device)


def caption(device: str) -> str:
    """One line: processor and its flags, or the GPU; PyTorch; what the clock is."""
    if device != "cpu":
        name = torch.cuda.get_device_name(device)
        return f"{name}, torch {torch.__version__}, wall clock, float32"
    name, flags = _processor()
    there = " ".join(f"{'' if flag in flags else 'no '}{flag}" for flag in FLAGS)
    return f"{name} ({there}), torch {torch.__version__}, one thread, CPU time of the process"


def _processor() -> tuple[str, set[str]]:
    """Its name and its flags, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), set()
    lines = (line.partition(":") for line in text.splitlines())
    known = {key.strip(): value.strip() for key, _, value in lines}
    return known.get("model name", platform.machine()), set(known.get("flags", "").split())
