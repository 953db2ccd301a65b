"""What keeps a discriminator smooth: gradient penalties, spectral norm, weight clipping.

Penalties are computed in float32 and out of autocast: squares of small gradients underflow. D must
treat every picture by itself there: batch statistics would mix the pictures' gradients.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

Critic = Callable[[Tensor, Tensor | None], Tensor]
"""(x [B, ...], y [B] or None) to outputs [B]."""


def squared_gradients(D: Critic, x: Tensor, y: Tensor | None) -> Tensor:
    """|dD(x) / dx|² [B] (Mescheder 2018, eq. 9), with a gradient of its own.

    Of real pictures its mean is R1, of generated ones R2.
    """
    x = x.detach().float().requires_grad_()
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(D(x, y).sum(), x, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def unit_gradients(
    D: Critic, real: Tensor, fake: Tensor, y: Tensor | None, share: Tensor
) -> Tensor:
    """(|dD(x̂) / dx̂| - 1)² [B] between real and generated pictures (Gulrajani 2017, eq. 3).

    x̂ = share · real + (1 - share) · fake with ``share`` [B], uniform in [0, 1).
    """
    share = share.reshape(-1, *[1] * (real.dim() - 1))
    between = share * real.float() + (1 - share) * fake.float()
    norms = (squared_gradients(D, between, y) + 1e-12).sqrt()  # the root of 0 has no derivative
    return (norms - 1).square()


@torch.no_grad()
def clip_weights(module: nn.Module, limit: float) -> None:
    """All weights into [-limit, limit] (Arjovsky 2017, algorithm 1)."""
    for parameter in module.parameters():
        parameter.clamp_(-limit, limit)


class SpectralNorm(nn.Module):
    """A parametrization: W / sigma(W), sigma by power iteration (Miyato 2018, algorithm 1).

    The vectors move in :meth:`iterate` alone, once a turn of D, so that a loss depends on nothing
    but weights and batch.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        rows, columns = weight.flatten(1).shape
        self.register_buffer("u", F.normalize(torch.randn(rows), dim=0))
        self.register_buffer("v", F.normalize(torch.randn(columns), dim=0))
        self.iterate(weight, 15)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            sigma = torch.dot(self.u, torch.mv(weight.flatten(1), self.v))
        return weight / sigma

    @torch.no_grad()
    def iterate(self, weight: Tensor, times: int = 1) -> None:
        matrix = weight.flatten(1)
        for _ in range(times):
            self.v.copy_(F.normalize(torch.mv(matrix.t(), self.u), dim=0))
            self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0))


def normalise_spectrally(module: nn.Module) -> None:
    """Puts a spectral norm on every matrix and kernel of ``module``.

    A kernel [out, in, ...] counts as a matrix [out, n], as in the paper.
    """
    for part in list(module.modules()):
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Embedding):
            if isinstance(part, nn.Embedding):  # may be zero, which has no direction
                nn.init.normal_(part.weight)
            parametrize.register_parametrization(part, "weight", SpectralNorm(part.weight))


def iterate_spectral_norms(module: nn.Module) -> None:
    """One power iteration of every spectral norm in ``module``."""
    for part in module.modules():
        if isinstance(part, parametrize.ParametrizationList):
            for norm in part:
                if isinstance(norm, SpectralNorm):
                    norm.iterate(part.original)
