"""Precision, recall, density and coverage: whether samples look real, and whether all are there.

Kynkäänniemi 2019, "Improved Precision and Recall Metric" (precision, recall) and Naeem 2020,
"Reliable Fidelity and Diversity Metrics" (density, coverage). A set's manifold is the union of the
balls around its features that reach to the k-th nearest other one. Give sets of one size.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from backends.metrics.neighbours import blocks, kth_squares


@dataclass(frozen=True, slots=True)
class Manifold:
    """The four scores; greater is better.

    Attributes:
        precision: share of the samples inside of the real manifold, from 0 to 1.
        recall: share of the real ones inside of the samples' manifold, from 0 to 1.
        density: real balls that a sample lies in, over k; about 1 for real data, and can be more.
        coverage: share of the real balls with a sample inside, from 0 to 1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(real: Tensor, samples: Tensor, k: int = 5) -> Manifold:
    """The scores of features ``samples`` [M, D] against ``real`` [N, D]; N and M greater than k.

    Raises:
        ValueError: there are too few features for k neighbours.
    """
    real_reach, sample_reach = kth_squares(real, k), kth_squares(samples, k)
    inside = torch.zeros(len(samples), dtype=torch.int64, device=samples.device)
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    covered = torch.zeros_like(recalled)
    for rows, squares in blocks(real, samples):  # [B, M]
        balls = squares < real_reach[rows, None]
        inside += balls.sum(0)
        covered[rows] = balls.any(1)
        recalled[rows] = (squares < sample_reach).any(1)
    return Manifold(
        precision=_share(inside > 0),
        recall=_share(recalled),
        density=inside.double().mean().item() / k,
        coverage=_share(covered),
    )


def _share(hits: Tensor) -> float:
    return hits.double().mean().item()
