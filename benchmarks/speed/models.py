"""Every model's training step in our loop beside the bare loop of the same networks."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from backends import catalogue
from benchmarks.figures import Figure
from benchmarks.speed import machine
from benchmarks.speed.bare import bare
from benchmarks.speed.isolated import BrokenError, isolated
from benchmarks.speed.loop import Loop, config_of, opened
from benchmarks.speed.turns import Comparison, compare

FASTEST, MEMORY = 0.98, 1.1
SECONDS, STEPS = 4.0, 8
"""Seconds of turns of a model where no others are asked for, and steps after which its memory
is read."""
TURN, MOST_STEPS = 0.1, 20
"""Seconds that a turn should take, and the most steps of it: a logged point is one a turn."""


def names() -> list[str]:
    """All models that can be picked."""
    return catalogue.models()


def measure(
    name: str, folder: Path, seconds: float = SECONDS, device: str = "cpu"
) -> Iterator[Figure]:
    """The model's two lines of the table, after turns of so many seconds on that device."""
    what = f"training step of {name}"
    target, limit = f">= {FASTEST}x", f"<= {MEMORY}x"
    try:
        found = isolated(functools.partial(_throughput, name, folder / "speed", seconds, device))
        ours = isolated(functools.partial(_our_memory, name, folder / "memory", device))
        floor = isolated(functools.partial(_bare_memory, name, device))
    except BrokenError as broken:
        yield Figure(what, None, "x", "bare loop", target, None, f"failed: {broken}")
        return
    low, high = found.spread
    yield Figure(
        what=what,
        value=found.ratio,
        unit=f"x ({low:.2f} to {high:.2f})",
        beside=f"bare loop {1000 * found.theirs:.3g} ms, ours {1000 * found.ours:.3g} ms",
        target=target,
        met=found.ratio >= FASTEST,
    )
    yield Figure(
        what=f"memory of training {name}",
        value=ours / floor,
        unit="x",
        beside=f"bare loop {floor / 1e6:.0f} MB, ours {ours / 1e6:.0f} MB",
        target=limit,
        met=ours / floor <= MEMORY,
    )


def _throughput(name: str, folder: Path, seconds: float, device: str) -> Comparison:
    clock, floor = machine.clock_of(device), _bare(name, device)
    floor()
    begin = clock()
    floor()
    stride = max(1, min(MOST_STEPS, round(TURN / (clock() - begin))))
    ours = _loop(name, folder, stride, device)
    ours.settle(3)

    def theirs() -> None:
        for _ in range(stride):
            floor()

    return compare(ours, theirs, warm_up=1, pieces=stride, budget=seconds, clock=clock)


def _our_memory(name: str, folder: Path, device: str) -> int:
    _loop(name, folder, 1, device).settle(STEPS)
    return machine.peak_memory(device)


def _bare_memory(name: str, device: str) -> int:
    step = _bare(name, device)
    for _ in range(STEPS):
        step()
    return machine.peak_memory(device)


def _loop(name: str, folder: Path, stride: int, device: str) -> Loop:
    model, dataset = opened(name, {})
    config = config_of(model, stride, precision="float32")
    return Loop(model, dataset, folder, config, stride, torch.device(device))


def _bare(name: str, device: str) -> Callable[[], None]:
    model, dataset = opened(name, {})
    return bare(model, dataset, config_of(model), torch.device(device))
