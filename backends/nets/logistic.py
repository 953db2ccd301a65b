"""Discretised logistic distributions on the 256 levels of a picture in [-1, 1] (Salimans 2017)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

HALF = 1 / 255
"""Half the distance of two levels."""

LEAST = -7.0
"""Least log scale of a component: far below the distance of two levels."""


def discretised_logistic(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P(x) for x on the 256 levels of [-1, 1] (Salimans 2017, eq. 2).

    The logistic's mass in x's bin; the outermost bins reach to infinity. With a > b the bin's ends,
    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), which never cancels.
    """
    scale = log_scale.exp()
    a, b = (x - mean + HALF) / scale, (x - mean - HALF) / scale
    inside = torch.log(-torch.expm1(b - a))
    left = torch.where(x < -0.999, 0.0, F.logsigmoid(-b))
    right = torch.where(x > 0.999, 0.0, F.logsigmoid(a))
    return left + right + torch.where(x.abs() > 0.999, 0.0, inside)


def parameters(channels: int, components: int) -> int:
    """Numbers that a mixture of ``components`` over pixels of ``channels`` takes a pixel."""
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


@dataclass(frozen=True, slots=True)
class LogisticMixture:
    """p(pixel) = Σ_k π_k Π_c logistic(x_c; mean_kc, scale_kc), one mixture a pixel.

    A channel's mean depends linearly on the channels before it, so that colours agree (eq. 3).

    Attributes:
        logits: of π, [N, K].
        mean, log_scale: [N, K, C].
        coupling: [N, K, C (C - 1) / 2].
    """

    logits: Tensor
    mean: Tensor
    log_scale: Tensor
    coupling: Tensor

    @classmethod
    def of(cls, out: Tensor, channels: int) -> "LogisticMixture":
        """From a network's numbers [N, :func:`parameters`], computed in float32."""
        pairs = channels * (channels - 1) // 2
        parts = out.float().unflatten(1, (-1, 1 + 2 * channels + pairs))  # [N, K, ...]
        logits, mean, log_scale, coupling = parts.split([1, channels, channels, pairs], dim=2)
        return cls(logits[..., 0], mean, log_scale.clamp(min=LEAST), coupling.tanh())

    def log_prob(self, x: Tensor) -> Tensor:
        """log P(x) [N] of pixels [N, C] on the 256 levels."""
        x = x[:, None]  # [N, 1, C]
        each = discretised_logistic(x, self._means(x), self.log_scale).sum(2)  # [N, K]
        return torch.logsumexp(each + self.logits.log_softmax(1), dim=1)

    def draw(self, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Pixels [N, C] on the levels; ``temperature`` sharpens both π and the logistics."""
        size, device = self.logits.shape, self.logits.device
        u = torch.rand(len(self.logits), generator=generator, device=device)
        v = torch.rand(size[0], self.mean.shape[2], generator=generator, device=device)
        k = self._choose(u, temperature)
        scale = self._of(self.log_scale, k).exp() * temperature
        noise = scale * v.clamp(1e-5, 1 - 1e-5).logit()  # logistic, [N, C]
        x = torch.zeros_like(noise)
        for c in range(x.shape[1]):
            mean = self._of(self._means(x[:, None]), k)[:, c]
            x[:, c] = to_levels(mean + noise[:, c])
        return x

    def _choose(self, u: Tensor, temperature: float) -> Tensor:
        """A component [N] each."""
        if temperature == 0:
            return self.logits.argmax(1)
        logits = self.logits - self.logits.amax(1, keepdim=True)
        below = (logits / temperature).softmax(1).cumsum(1)
        return (below < u[:, None] * below[:, -1:]).sum(1).clamp(max=below.shape[1] - 1)

    def _means(self, x: Tensor) -> Tensor:
        """Means [N, K, C] given the channels before, of x [N, 1, C]."""
        if x.shape[2] == 1:
            return self.mean
        columns, pair = [self.mean[..., 0]], 0
        for c in range(1, x.shape[2]):
            weights = self.coupling[..., pair : pair + c]  # [N, K, c]
            columns.append(self.mean[..., c] + (weights * x[..., :c]).sum(2))
            pair += c
        return torch.stack(columns, dim=2)

    @staticmethod
    def _of(values: Tensor, k: Tensor) -> Tensor:
        """Of [N, K, C] the component k [N] of each, [N, C]."""
        return values[torch.arange(len(k), device=k.device), k]


def to_levels(x: Tensor) -> Tensor:
    """The nearest of the 256 levels of [-1, 1], which is what a discretised draw is."""
    return x.clamp(-1, 1).add(1).mul(127.5).round().div(127.5).sub(1)
