"""Classifier-free guidance (Ho & Salimans 2022): hide conditions in training, extrapolate later."""

from collections.abc import Callable

import torch
from torch import Tensor

from backends.diffusion._solvers import Field
from backends.model import Batch

Net = Callable[..., Tensor]
"""(x_t [B, ...], t, *conditions [B, ...]) to something of the shape of x_t."""


def hidden(batch: Batch, share: float) -> Tensor:
    """Which items [B] of a batch are trained without their condition."""
    return batch.rand(len(batch.x)) < share


def hide_labels(batch: Batch, share: float, none: int) -> Tensor | None:
    """Labels [B], a ``share`` of them replaced by the class ``none``; None without classes."""
    if batch.y is None or not none:
        return None
    return torch.where(hidden(batch, share), none, batch.y)


def guided(
    net: Net,
    told: tuple[Tensor | None, ...],
    free: tuple[Tensor | None, ...],
    scale: float,
    within: Callable[[float], bool] = lambda t: True,
) -> Field:
    """free + scale (told - free), eq. 6 with w = scale - 1.

    Args:
        net: the field, given its conditions.
        told: what is wanted, [B, ...] each.
        free: the same without what guidance is to stress.
        scale: 1 is no guidance, 0 is without the condition.
        within: times at which guidance applies (Kynkäänniemi 2024): elsewhere told alone.
    """

    def field(x: Tensor, t: float) -> Tensor:
        if scale == 1 or not within(t):
            return net(x, t, *told)
        if scale == 0:
            return net(x, t, *free)
        both = [_joined(a, b) for a, b in zip(told, free, strict=True)]
        a, b = net(torch.cat([x, x]), t, *both).chunk(2)
        return b + scale * (a - b)

    return field


def _joined(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return None if a is None or b is None else torch.cat([a, b])
