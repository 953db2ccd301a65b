"""How far the runs of tokens in one text are from those in another: counts and their divergence."""

import torch
from torch import Tensor

BUCKETS = 2**18
"""Beyond as many different n-grams some share a count: all three of 64 characters fit."""


def places(n: int, vocabulary: int) -> int:
    """Length of the counts of n-grams."""
    return min(vocabulary**n, BUCKETS)


def counts(ids: Tensor, n: int, vocabulary: int) -> Tensor:
    """How often each run of ``n`` tokens occurs in ``ids`` [B, L], as float32 [places]."""
    index = torch.zeros_like(ids[:, n - 1 :])
    for i in range(n):
        index = index * vocabulary + ids[:, i : ids.shape[1] - (n - 1 - i)]
    size = places(n, vocabulary)
    return torch.bincount((index % size).flatten(), minlength=size).float()


def jensen_shannon(a: Tensor, b: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two vectors of counts, in bits: 0 for equal shares, 1 for texts
    that have nothing in common (Lin 1991, eq. 3.1). Without any count on one side it is 1."""
    p, q = (x.double() / x.sum().clamp(min=1) for x in (a, b))
    middle = (p + q) / 2
    parts = [torch.xlogy(x, x / middle.clamp(min=1e-300)).sum() for x in (p, q)]
    bits = torch.stack(parts).mean() / torch.log(torch.tensor(2.0, dtype=torch.double))
    there = (a.sum() > 0) & (b.sum() > 0)
    return torch.where(there, bits, torch.ones_like(bits)).float()
