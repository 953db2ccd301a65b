"""When things are due, how fast steps go, and the learning rate as a function of the step."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backends.recipe import TrainConfig


def due(step: int, every: int) -> bool:
    """Whether something that happens ``every`` so many steps (0: never) happens at ``step``."""
    return bool(every) and step % every == 0


def learning_rate(config: TrainConfig, step: int) -> float:
    """The rate of the step after ``step`` steps: linear warm-up, then ``schedule`` to lr_final."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / (config.warmup_steps + 1)
    if config.schedule == "constant":
        return config.lr
    share = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    share = min(1.0, share)
    fall = (1 - math.cos(math.pi * share)) / 2 if config.schedule == "cosine" else share
    return config.lr * (1 - (1 - config.lr_final) * fall)


class Clock:
    """Seconds of optimisation, apart from samples, validation and pauses; monotonic."""

    def __init__(self) -> None:
        self.saved = time.monotonic()
        self._seconds, self._steps = 0.0, 0

    @contextmanager
    def step(self) -> Iterator[None]:
        """Counts one step and its time."""
        with self.waiting():
            yield
        self._steps += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time in which the device finishes what steps have begun."""
        begin = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - begin

    def rates(self, batch_size: int, waited: float = 0.0) -> dict[str, float]:
        """Steps and items a second since the last call, and the share of the time in which the
        training ``waited`` (seconds) for its data; empty if there was no step."""
        steps, seconds = self._steps, self._seconds
        self._seconds, self._steps = 0.0, 0
        if not steps or not seconds:
            return {}
        return {
            "steps_per_second": steps / seconds,
            "items_per_second": steps / seconds * batch_size,
            "data_wait": min(1.0, waited / seconds),
        }
