"""All that a training changes: weights, their average, optimizers, the window of unlogged terms."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from backends.model import Model, Phase
from backends.optimizers import optimizer_of
from backends.recipe import TrainConfig

Snapshot = dict[str, Any]


@dataclass(slots=True)
class Window:
    """Terms since the last logged point: one row a step, on the device, so that no step waits."""

    rows: list[tuple[int, tuple[str, ...], Tensor]] = field(default_factory=list)
    _known: list[tuple[int, list[tuple[str, float]]]] | None = None

    def add(self, step: int, terms: Mapping[str, Tensor]) -> None:
        if terms:
            values = torch.stack([value.detach().float() for value in terms.values()])
            self.rows.append((step, tuple(terms), values))

    def first_bad(self) -> tuple[int, str, float] | None:
        """(step, term, value) of the first term that is not finite. Waits for the device once."""
        for step, terms in self._read():
            for name, value in terms:
                if not math.isfinite(value):
                    return step, name, value
        return None

    def drain(self) -> tuple[dict[str, float], tuple[int, str, float] | None]:
        """Empties the window: the mean of every term, and what :meth:`first_bad` finds."""
        bad, sums = self.first_bad(), dict[str, tuple[float, int]]()
        for _, terms in self._read():
            for name, value in terms:
                total, count = sums.get(name, (0.0, 0))
                sums[name] = (total + value, count + 1)
        self.rows.clear()
        self._known = None
        return {name: total / count for name, (total, count) in sums.items()}, bad

    def _read(self) -> list[tuple[int, list[tuple[str, float]]]]:
        if self._known is not None and len(self._known) == len(self.rows):
            return self._known
        flat = torch.cat([values for _, _, values in self.rows]).tolist() if self.rows else []
        known, begin = [], 0
        for step, names, _ in self.rows:
            end = begin + len(names)
            known.append((step, list(zip(names, flat[begin:end], strict=True))))
            begin = end
        self._known = known
        return known

    def state(self) -> list[Any]:
        return [
            [step, [name for name, _ in terms], [value for _, value in terms]]
            for step, terms in self._read()
        ]

    def restore(self, state: list[Any], device: torch.device) -> None:
        self.rows = [(s, tuple(names), torch.tensor(v, device=device)) for s, names, v in state]


class TrainState:
    """The moving parts of one training, and their snapshot."""

    def __init__(self, model: Model, config: TrainConfig, precision: str = "float32") -> None:
        self.model = model
        self.phases = list(model.phases())
        self._learning = {phase.name: _learning(phase.module) for phase in self.phases}
        self.ema = copy.deepcopy(model) if config.ema_half_life else None
        self.optimizers = [optimizer_of(phase.module, config, precision) for phase in self.phases]
        # Walking a module's tree takes a share of a small model's step; its tensors stay the same.
        self.weights = [list(phase.module.parameters()) for phase in self.phases]
        followed = self.ema if self.ema is not None else model
        self._averaged: tuple[list[Tensor], list[Tensor]] = (
            list(followed.parameters()),
            list(model.parameters()),
        )
        self._in_one_call = _walked_alike(*self._averaged)
        self._buffers = list(zip(followed.buffers(), model.buffers(), strict=True))
        self._power = power_of(config.ema_std) if config.ema == "power" else None
        self.window = Window()
        self.step = 0
        self.overrides: dict[str, Any] = {}
        self.skips: list[int] = []
        """Steps, counted from 1, whose batches spoilt the weights and are left out."""
        self.best: tuple[int, float] | None = None
        """The step with the best score so far, and the score."""
        if self.ema is not None:
            self.ema.requires_grad_(False).eval()

    @property
    def sampled(self) -> Model:
        """The weights to look at: their average, where there is one."""
        return self.ema if self.ema is not None else self.model

    def focus(self, phase: Phase) -> None:
        """Lets gradients flow to the weights of ``phase`` alone."""
        for parameters in self._learning.values():  # turns may share a module
            for parameter in parameters:
                parameter.requires_grad_(False)
        for parameter in self._learning[phase.name]:
            parameter.requires_grad_(True)

    @torch.no_grad()
    def bad_weight(self) -> tuple[str, float] | None:
        """Name and value of a weight that is not finite, if there is one. Waits for the device."""
        weights = {name: p for name, p in self.model.named_parameters() if p.numel()}
        if get_total_norm(weights.values(), math.inf).isfinite():
            return None
        largest = {name: float(p.abs().max()) for name, p in weights.items()}
        return next((name, value) for name, value in largest.items() if not math.isfinite(value))

    def release(self) -> None:
        """Lets gradients flow to all weights again, so that the model can be trained further."""
        for parameters in self._learning.values():
            for parameter in parameters:
                parameter.requires_grad_(True)

    def finish_step(self, step: int, terms: Mapping[str, Tensor], half_life: float) -> None:
        """Counts a step that has been optimised: average, clock, terms to log."""
        self.step = step
        self._average(half_life)
        self.window.add(step, terms)

    @torch.no_grad()
    def _average(self, half_life: float) -> None:
        """One step of the moving average of the weights. Buffers are copied."""
        if self.ema is None:
            return
        weight = share_of_newest(self.step, half_life, self._power)
        averages, values = self._averaged
        if self._in_one_call:
            _step_towards(averages, values, weight)
        else:
            torch._foreach_lerp_(averages, values, weight)  # pyright: ignore[reportPrivateImportUsage]
        for average, value in self._buffers:
            average.copy_(value)

    def snapshot(self, step: int) -> Snapshot:
        """A copy of everything in the CPU's memory, ready for another thread to write."""
        with torch.no_grad():
            return {
                "model": copied(self.model.state_dict()),
                "ema": copied(self.ema.state_dict()) if self.ema is not None else None,
                "optimizers": [copied(optimizer.state_dict()) for optimizer in self.optimizers],
                "loop": {
                    "step": step,
                    "window": self.window.state(),
                    "overrides": dict(self.overrides),
                    "skips": list(self.skips),
                    "best": self.best,
                },
            }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continues exactly where ``snapshot`` was taken."""
        self.model.load_state_dict(snapshot["model"])
        if self.ema is not None:
            self.ema.load_state_dict(snapshot["ema"] or snapshot["model"])
        for optimizer, state in zip(self.optimizers, snapshot["optimizers"], strict=True):
            optimizer.load_state_dict(state)
            _match_layout(optimizer)
        loop = snapshot["loop"]
        self.step, self.overrides = int(loop["step"]), dict(loop["overrides"])
        self.skips = [int(step) for step in loop.get("skips", ())]
        best = loop.get("best")
        self.best = None if best is None else (int(best[0]), float(best[1]))
        self.window.restore(loop["window"], self.model.device)


def share_of_newest(step: int, half_life: float, power: float | None) -> float:
    """What the weights of ``step`` count in their average.

    An exponential average's half-life grows with the step up to ``half_life`` (a tenth of the steps
    taken), so that the first samples are not of the initial weights. With a ``power`` the weights
    of step i count as i^power, however long the training is (Karras 2023, eq. 3).
    """
    if power is not None:
        return 1 - (1 - 1 / step) ** (power + 1)
    current = max(1.0, min(half_life, step / 10))
    return 1 - 0.5 ** (1 / current)


def power_of(std: float) -> float:
    """γ of the profile i^γ, i <= t, whose standard deviation is ``std`` · t (Karras 2023, C.1).

    std² = (γ + 1) / ((γ + 2)² (γ + 3)) falls from γ = 0 on: its root is found by halving.
    """
    low, high = 0.0, 1 / std
    for _ in range(60):
        middle = (low + high) / 2
        wider = (middle + 1) / ((middle + 2) ** 2 * (middle + 3)) > std**2
        low, high = (middle, high) if wider else (low, middle)
    return low


def _learning(module: nn.Module) -> list[nn.Parameter]:
    """The weights of a turn; what the model itself has frozen is none."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _walked_alike(averages: list[Tensor], values: list[Tensor]) -> bool:
    """Whether a kernel may walk the memory of both side by side: dense float32 on the CPU."""
    return bool(values) and all(
        value.device.type == "cpu"
        and average.dtype == value.dtype == torch.float32
        and average.stride() == value.stride()
        and _is_dense(value)
        for average, value in zip(averages, values, strict=True)
    )


def _is_dense(x: Tensor) -> bool:
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return x.is_contiguous() or last


def _step_towards(averages: list[Tensor], values: list[Tensor], weight: float) -> None:
    """average += weight (value - average), to the last bit as a lerp would.

    Written as SGD's p -= lr (g + decay p) with the value for the gradient, lr = -weight and decay
    -1: its fused kernel takes all tensors in one call, where a lerp is dispatched for each of them
    and takes half as long again.
    """
    torch._fused_sgd_(  # pyright: ignore[reportPrivateImportUsage]
        averages,
        values,
        [],
        weight_decay=-1.0,
        momentum=0.0,
        lr=-weight,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )


def _match_layout(optimizer: torch.optim.Optimizer) -> None:
    """Gives restored moments their weights' strides: fused kernels walk both side by side."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.dim():
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def copied(value: Any) -> Any:
    """``value`` with its tensors copied to the CPU's memory, dense."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True).contiguous()
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    return value
