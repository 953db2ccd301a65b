"""Nearest neighbours between two sets of features, a block of rows at a time.

No more than ROWS rows of distances exist at once, so that 50,000 features fit anywhere.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

ROWS = 64
"""Few enough for a block of some thousand columns to stay in the cache."""


def blocks(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances |x_i - y_j|² [B, M] of ``x`` [N, D] and ``y`` [M, D], block by block, in
    float64; rounding may leave one about 1e-13 of the features' squares beside its value."""
    x, y = _centred(x, y)
    lengths = y.square().sum(1)
    for begin in range(0, len(x), ROWS):
        rows = slice(begin, begin + ROWS)
        part = x[rows]
        squares = torch.addmm(lengths, part, y.T, alpha=-2)
        yield rows, squares.add_(part.square().sum(1, keepdim=True)).clamp_(min=0)


def kth_squares(x: Tensor, k: int) -> Tensor:
    """Squared distance [N] of each of ``x`` [N, D] to its k-th nearest other one.

    Raises:
        ValueError: there are not k others.
    """
    if not 1 <= k < len(x):
        raise ValueError(f"{len(x)} features have no neighbour number {k}: give more features")
    found = torch.empty(len(x), dtype=torch.float64, device=x.device)
    for rows, squares in blocks(x, x):
        found[rows] = _without_self(squares, rows).topk(k, largest=False).values[:, -1]
    return found


def nearest(x: Tensor, y: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """Exact distances [N, k] of ``x`` [N, D] to its k nearest of ``y`` [M, D], and their indices.

    A row that is in both sets has a distance of exactly 0.
    """
    indices = torch.cat([s.topk(k, largest=False).indices for _, s in blocks(x, y)])
    return _distances(x, y[indices]), indices


def nearest_other(x: Tensor) -> Tensor:
    """Exact distance [N] of each of ``x`` [N, D] to the nearest other one."""
    found = [_without_self(s, rows).argmin(1, keepdim=True) for rows, s in blocks(x, x)]
    return _distances(x, x[torch.cat(found)])[:, 0]


def _without_self(squares: Tensor, rows: slice) -> Tensor:
    own = torch.arange(len(squares), device=squares.device)
    squares[own, own + rows.start] = torch.inf
    return squares


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """|x_i - y_ik| [N, k] of ``x`` [N, D] and ``y`` [N, k, D]."""
    return (x.double()[:, None] - y.double()).square().sum(-1).sqrt()


def _centred(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64 around their middle: short vectors lose the fewest digits."""
    middle = y.double().mean(0)
    return x.double() - middle, y.double() - middle
