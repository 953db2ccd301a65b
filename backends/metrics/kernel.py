"""Kernel distance (KID): an unbiased squared distance between two sets of features.

Bińkowski 2018, "Demystifying MMD GANs", section 4: the squared maximum mean discrepancy under
k(x, y) = (x·y / D + 1)³, averaged over random subsets. Its expectation does not depend on the
number of samples, for which it suits small sets, and it can be below 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class KernelDistance:
    """Mean of the subsets' distances, less is better, and their standard deviation."""

    mean: float
    sd: float


def kernel_distance(
    x: Tensor,
    y: Tensor,
    *,
    subsets: int = 50,
    size: int = 500,
    generator: torch.Generator | None = None,
) -> KernelDistance:
    """KID of features ``x`` [N, D] and ``y`` [M, D] over ``subsets`` draws of ``size`` of each.

    Where there are fewer than ``size``, all are taken. Draws come from ``generator``, by default
    always the same.

    Raises:
        ValueError: fewer than two features on a side, or another D.
    """
    if min(len(x), len(y)) < 2 or x.shape[1:] != y.shape[1:]:
        shapes = f"{list(x.shape)} and {list(y.shape)}"
        raise ValueError(f"features must be [N, D] and [M, D], N and M of 2 or more, not {shapes}")
    draws = generator or torch.Generator(x.device).manual_seed(0)
    x, y = x.detach().double(), y.detach().double()
    values = [squared_mmd(_some(x, size, draws), _some(y, size, draws)) for _ in range(subsets)]
    found = torch.stack(values)
    return KernelDistance(found.mean().item(), found.std(correction=0).item())


def squared_mmd(x: Tensor, y: Tensor) -> Tensor:
    """The unbiased MMD² [] of ``x`` [N, D] and ``y`` [M, D] (Gretton 2012, equation 3)."""
    return (
        _off_diagonal_mean(_cubic(x, x))
        + _off_diagonal_mean(_cubic(y, y))
        - 2 * _cubic(x, y).mean()
    )


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _off_diagonal_mean(gram: Tensor) -> Tensor:
    n = len(gram)
    return (gram.sum() - gram.trace()) / (n * (n - 1))


def _some(x: Tensor, size: int, draws: torch.Generator) -> Tensor:
    if size >= len(x):
        return x
    return x[torch.randperm(len(x), generator=draws, device=x.device)[:size]]
