"""The machine that figures hold for, and one thread on it."""

import platform
from pathlib import Path

import torch

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""What decides how fast float32 and bfloat16 are on a CPU."""


def one_thread() -> None:
    """Pins PyTorch's threads, and with them the clock to the work; those of BLAS are pinned by the
    environment, before anything is imported."""
    torch.set_num_threads(1)


def caption() -> str:
    """One line: processor, its flags, PyTorch, threads."""
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
