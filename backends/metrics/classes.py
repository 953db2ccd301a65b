"""Whether samples have the classes of real data in the right shares."""

import torch
from torch import Tensor


def shares(y: Tensor, classes: int) -> Tensor:
    """The share [K] of each of ``classes`` among the class indices ``y`` [N], in float64.

    Raises:
        ValueError: there are no labels, or one is out of range.
    """
    if not len(y) or int(y.min()) < 0 or int(y.max()) >= classes:
        raise ValueError(f"labels must be one or more indices from 0 to {classes - 1}")
    counts = torch.bincount(y, minlength=classes).double()
    return counts / counts.sum()


def class_divergence(y: Tensor, classes: int, real: Tensor | None = None) -> float:
    """KL(shares of ``y`` || shares of ``real``) in nats; without ``real``, to equal shares.

    Both are class indices [N]; of samples, those that a classifier sees. 0 or more, less is better:
    0 for equal shares, ln(classes) where all samples are of one of equal classes, and infinite
    where samples have a class that ``real`` lacks.
    """
    p = shares(y, classes)
    q = torch.full_like(p, 1 / classes) if real is None else shares(real, classes)
    return torch.where(p > 0, p * (p / q).log(), 0.0).sum().clamp(min=0).item()
