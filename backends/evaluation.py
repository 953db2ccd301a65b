"""Losses on held-out data: the same items with the same noise every time, so that they compare."""

import math

import torch
from torch import Tensor

from backends import seeds
from backends.counting import counted
from backends.data import Source
from backends.model import Batch, Model
from backends.precision import Numerics


def held_batch(held: Source, most: int, device: torch.device) -> Batch:
    """The first ``most`` held-out items, or all there are."""
    chosen = torch.arange(min(most, len(held)))
    x, y = held.fetch(chosen, torch.zeros_like(chosen), 0)
    x, y = x.to(device), None if y is None else y.to(device)
    return Batch(x, y, seeds.generator(0, 0, "validation", device))


@torch.no_grad()
def validate(
    model: Model,
    held: Source,
    numerics: Numerics,
    *,
    batch_size: int,
    batches: int,
    seed: int,
    progress: float,
) -> dict[str, float]:
    """Means of ``model.validation`` over at most ``batches`` batches of ``held``.

    ``model`` is put into eval mode and left there.
    """
    model.eval()
    device, totals, seen = model.device, dict[str, Tensor](), 0
    count = min(batches, math.ceil(len(held) / batch_size))
    for index in counted(range(count), count):
        chosen = torch.arange(index * batch_size, min((index + 1) * batch_size, len(held)))
        x, y = held.fetch(chosen, torch.zeros_like(chosen), 0)
        x, y = x.to(device), None if y is None else y.to(device)
        noise = seeds.generator(seed, index, "validation", device)
        with numerics.autocast(device):
            losses = model.validation(Batch(numerics.arrange(x), y, noise, progress))
        for name, value in losses.items():
            weighted = value.detach().float() * len(chosen)
            totals[name] = totals[name] + weighted if name in totals else weighted
        seen += len(chosen)
    return {name: value.item() / seen for name, value in totals.items()}
