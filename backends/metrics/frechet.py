"""Fréchet distance between two sets of features, each taken for a Gaussian.

Dowson & Landau 1982; Heusel 2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6:

    d² = |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½).

It is named after the features: "FID" is this distance in those of Inception-v3 and no others. It
falls with the number of samples, so compare sets of one size only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Gaussian:
    """First and second moments of features: ``mean`` [D] and ``cov`` [D, D], in float64."""

    mean: Tensor
    cov: Tensor


def gaussian(features: Tensor) -> Gaussian:
    """The moments of ``features`` [N, D], N >= 2; the covariance is the unbiased one.

    Raises:
        ValueError: features of another form, fewer than two, or not finite.
    """
    if features.dim() != 2 or len(features) < 2:
        raise ValueError(f"features must be [N, D] with N of 2 or more, not {list(features.shape)}")
    x = features.detach().double()
    if not x.isfinite().all():
        raise ValueError("features must be finite: one is NaN or infinite")
    mean = x.mean(0)
    centred = x - mean
    return Gaussian(mean, centred.T @ centred / (len(x) - 1))


def frechet_distance(one: Gaussian, two: Gaussian) -> float:
    """d² of two Gaussians; 0 or more, less is better, 0 for equal moments.

    tr (C1 C2)^½ is the sum of the roots of the eigenvalues of Rᵀ C2 R with C1 = R Rᵀ, which is
    symmetric: no root of a general matrix is needed, and nothing complex can come out.
    """
    root = _factor(one.cov)
    inner = torch.linalg.eigvalsh(root.T @ two.cov @ root)
    overlap = inner.clamp(min=0).sqrt().sum()
    apart = (one.mean - two.mean).square().sum()
    distance = apart + one.cov.trace() + two.cov.trace() - 2 * overlap
    return max(0.0, distance.item())


def _factor(cov: Tensor) -> Tensor:
    """R with R Rᵀ = ``cov`` [D, D]: Cholesky's, a tenth of the work, where the rank is full."""
    triangle, failed = torch.linalg.cholesky_ex(cov)
    if not failed:
        return triangle
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0).sqrt()


def frechet(x: Tensor, y: Tensor) -> float:
    """The Fréchet distance of features ``x`` [N, D] and ``y`` [M, D]."""
    return frechet_distance(gaussian(x), gaussian(y))
