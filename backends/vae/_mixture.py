"""A mixture of Gaussians with full covariances, fitted by expectation and maximisation.

Dempster, Laird & Rubin 1977. Everything is float64 and deterministic: the same points give the same
mixture.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

ROUNDS, ENOUGH = 50, 1e-3
"""Most rounds, and the gain in nats a point after which one more is not worth its time."""

PSEUDO = 1.0
"""Points of N(mean, 1) that every component is thought to have seen besides its own."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """p(z) = Σ_k weight_k N(z; mean_k, factor_k factor_kᵀ).

    Attributes:
        weights: [K].
        means: [K, D].
        factors: Cholesky factors of the covariances, [K, D, D].
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def log_joint(self, z: Tensor) -> Tensor:
        """log weight_k N(z; ...) [N, K] of points [N, D]."""
        columns = []
        for mean, factor in zip(self.means, self.factors, strict=True):
            whiten = torch.linalg.solve_triangular(factor, torch.eye(len(mean)).to(z), upper=False)
            distance = ((z - mean) @ whiten.T).square().sum(1)  # Mahalanobis', squared
            columns.append(-0.5 * distance - factor.diagonal().log().sum())
        constant = 0.5 * z.shape[1] * math.log(2 * math.pi)
        return torch.stack(columns, dim=1) + self.weights.log() - constant

    def log_density(self, z: Tensor) -> Tensor:
        """log p(z) [N] of points [N, D]."""
        return self.log_joint(z).logsumexp(1)

    def transform(self, u: Tensor, noise: Tensor) -> Tensor:
        """Points [N, D] of the mixture from uniform u [N] and standard normal noise [N, D]."""
        below = self.weights.cumsum(0)
        chosen = (below < u.to(below)[:, None] * below[-1]).sum(1)  # the component of each
        z = noise.to(below)
        for k, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            z[chosen == k] = mean + z[chosen == k] @ factor.T
        return z


def fit(z: Tensor, components: int, pseudo: float = PSEUDO) -> Mixture:
    """The mixture of at most ``components`` that the points [N, D] are likely under."""
    z = z.double()
    mixture, before = _begin(z, components, pseudo), -math.inf
    for _ in range(ROUNDS):
        joint = mixture.log_joint(z)
        after = joint.logsumexp(1).mean().item()
        if after - before < ENOUGH:
            break
        before = after
        mixture = maximise(z, joint.softmax(1), pseudo)
    return mixture


def maximise(z: Tensor, shares: Tensor, pseudo: float = PSEUDO) -> Mixture:
    """The best mixture for points [N, D] that belong to its components by ``shares`` [N, K]."""
    shares = shares[:, shares.sum(0) > 1e-6]  # a component without points is none
    counts = shares.sum(0)  # [K]
    means = (shares.T @ z) / counts[:, None]
    factors = torch.stack(list(_factors(z, shares, means, counts, pseudo)))
    return Mixture(counts / len(z), means, factors)


def _factors(
    z: Tensor, shares: Tensor, means: Tensor, counts: Tensor, pseudo: float
) -> Iterator[Tensor]:
    prior = pseudo * torch.eye(z.shape[1], dtype=z.dtype)
    for mean, share, count in zip(means, shares.T, counts, strict=True):
        centred = z - mean
        scatter = centred.T @ (share[:, None] * centred)
        yield torch.linalg.cholesky((scatter + prior) / (count + pseudo))


def _begin(z: Tensor, components: int, pseudo: float) -> Mixture:
    """Every point belongs to the nearest of k-means' centres."""
    centres = _centres(z, components)
    for _ in range(5):  # Lloyd 1982
        members = _members(z, centres)
        counts = members.sum(0)[:, None]
        centres = torch.where(counts > 0, members.T @ z / counts.clamp(min=1), centres)
    return maximise(z, _members(z, centres), pseudo)


def _members(z: Tensor, centres: Tensor) -> Tensor:
    """1 where a centre [K] is a point's nearest, else 0: [N, K]."""
    return F.one_hot(torch.cdist(z, centres).argmin(1), len(centres)).to(z)


def _centres(z: Tensor, components: int) -> Tensor:
    """k-means++ (Arthur & Vassilvitskii 2007): each centre is a point, likelier the farther it is
    from the centres before."""
    chance = torch.Generator().manual_seed(0)
    centres = [z[torch.randint(len(z), (), generator=chance)]]
    least = (z - centres[0]).square().sum(1)
    while len(centres) < components and least.sum() > 0:
        centres.append(z[torch.multinomial(least, 1, generator=chance)[0]])
        least = torch.minimum(least, (z - centres[-1]).square().sum(1))
    return torch.stack(centres)
