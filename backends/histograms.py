"""How the numbers of a model are spread: its weights and their gradients, part by part.

Reading them draws no random number and writes nothing, so that the training stays what it is to the
last bit. A gradient is what the optimizer was given last: after clipping, and of a turn's last step
where it is not taken on every one.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from backends.records import Histogram

BINS = 48
MOST_PARTS = 16
"""A model of more parts shows the rest of them as one."""
NARROWEST = 1e-30
"""Where all numbers lie closer, float32 tells no bins apart."""
REACH = 4.0
"""Bins reach so many standard deviations from the mean: one wild value does not empty them."""


def histograms(model: nn.Module, step: int) -> Iterator[Histogram]:
    """Of every part of ``model`` its weights, and its gradients where it has any."""
    for name, weights in parts(model).items():
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for what, tensors in (("weights", weights), ("gradients", gradients)):
            if tensors:
                yield histogram(f"{what}/{name}", tensors, step)


def parts(model: nn.Module) -> Mapping[str, list[Tensor]]:
    """The weights of the top-level modules by their names, and those that are in none.

    Where a single module holds all there is, its own modules are the parts. A weight that two parts
    share is the first one's.
    """
    module, prefix = model, ""
    found = _children(module)
    while len(found) == 1 and isinstance(child := getattr(module, *found), nn.Module):
        prefix += f"{next(iter(found))}."
        module, found = child, _children(child)
    named = {prefix + name: weights for name, weights in found.items()}
    if len(named) <= MOST_PARTS:
        return named
    names = list(named)[MOST_PARTS - 1 :]
    rest = [weight for name in names for weight in named.pop(name)]
    return {**named, "the rest": rest}


def _children(module: nn.Module) -> dict[str, list[Tensor]]:
    """Weights by the attribute of ``module`` that holds them, without those that have none."""
    found: dict[str, list[Tensor]] = {}
    for name, weight in module.named_parameters():  # which names a shared weight once
        found.setdefault(name.partition(".")[0], []).append(weight)
    return found


@torch.no_grad()
def histogram(name: str, tensors: Sequence[Tensor], step: int) -> Histogram:
    """How the numbers of all ``tensors`` together are spread."""
    found = _pooled([_moments(tensor) for tensor in tensors])
    low, high = found.range
    counts = [found.count]
    if high - low >= NARROWEST:
        counts = torch.stack([_counts(each, low, high) for each in tensors]).sum(0).tolist()
    return Histogram(
        step=step,
        t=time.time(),
        name=name,
        low=low,
        high=high,
        counts=counts,
        least=found.least,
        most=found.most,
        not_finite=sum(tensor.numel() for tensor in tensors) - found.count,
    )


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of the finite numbers of one or more tensors."""

    count: int = 0
    mean: float = 0.0
    var: float = 0.0
    least: float = 0.0
    most: float = 0.0

    @property
    def range(self) -> tuple[float, float]:
        """What the bins cover."""
        reach = REACH * math.sqrt(self.var)
        return max(self.least, self.mean - reach), min(self.most, self.mean + reach)


def _pooled(moments: Sequence[_Moments]) -> _Moments:
    known = [each for each in moments if each.count]
    if not known:
        return _Moments()
    count = sum(each.count for each in known)
    mean = sum(each.mean * each.count for each in known) / count
    var = sum((each.var + (each.mean - mean) ** 2) * each.count for each in known) / count
    least, most = min(each.least for each in known), max(each.most for each in known)
    return _Moments(count, mean, var, least, most)


def _moments(tensor: Tensor) -> _Moments:
    x = _finite(tensor)
    if not len(x):
        return _Moments()
    var, mean = torch.var_mean(x, correction=0)
    return _Moments(len(x), *torch.stack([mean, var, x.min(), x.max()]).tolist())


def _counts(tensor: Tensor, low: float, high: float) -> Tensor:
    """How many of the finite numbers are in each bin; the outer ones hold what is beyond, too."""
    places = (_finite(tensor) - low).mul_(BINS / (high - low)).clamp_(0, BINS - 1)
    return torch.bincount(places.long(), minlength=BINS)


def _finite(tensor: Tensor) -> Tensor:
    """The finite numbers [N], as a copy in float32."""
    flat = tensor.detach().flatten().float()
    return flat[flat.isfinite()]
