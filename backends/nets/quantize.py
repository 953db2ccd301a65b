"""Quantisers: what an encoder says in numbers, said in a finite number of codes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Quantised:
    """What is left of an encoder's output h [B, D, H, W].

    Attributes:
        z: [B, D, H, W], one of finitely many vectors at each place. Its gradient is passed on to h
            as if nothing had been rounded ("straight through", Bengio 2013).
        codes: which, [B, H, W].
        commitment: how far h is from it, squared and summed: [B].
    """

    z: Tensor
    codes: Tensor
    commitment: Tensor


class FSQ(nn.Module):
    """Finite scalar quantisation (Mentzer et al. 2023): each channel is rounded to a few levels.

    There is no codebook to learn: the codes are the cells of a grid. Channel i has ``levels[i]``.
    """

    levels: Tensor
    basis: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        steps, self.counts = torch.tensor(levels), tuple(levels)
        self.dim, self.size = len(levels), math.prod(levels)
        self.register_buffer("levels", steps, persistent=False)
        basis = torch.cat([torch.ones(1, dtype=torch.long), steps.cumprod(0)[:-1]])
        self.register_buffer("basis", basis, persistent=False)

    def forward(self, h: Tensor) -> Quantised:
        bounded = self._bound(h.float().movedim(1, -1))  # => [B, H, W, D]
        rounded = bounded + (bounded.round() - bounded).detach()
        half = self.levels // 2
        codes = ((rounded.detach() + half).round().long() * self.basis).sum(-1)
        nothing = torch.zeros(len(h), device=h.device)
        return Quantised((rounded / half).movedim(-1, 1), codes, nothing)

    def embed(self, codes: Tensor) -> Tensor:
        """Codes [B, H, W] to their vectors [B, D, H, W] in [-1, 1]."""
        half = self.levels // 2
        digits = codes[..., None] // self.basis % self.levels  # [B, H, W, D]
        return ((digits - half) / half).movedim(-1, 1)

    def digits(self) -> Tensor:
        """Of each of the K codes which level each channel has: one-hot, [K, Σ levels]."""
        numbers = torch.arange(self.size)[:, None] // self.basis % self.levels  # [K, D]
        each = zip(numbers.T, self.counts, strict=True)
        return torch.cat([n[:, None] == torch.arange(count) for n, count in each], dim=1)

    def _bound(self, h: Tensor) -> Tensor:
        """Numbers whose rounding is one of L levels around 0 (section 3.1)."""
        half = (self.levels - 1) / 2 * (1 - 1e-3)
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)  # an even L has no middle
        return (h + (offset / half).atanh()).tanh() * half - offset


class Codebook(nn.Module):
    """Vector quantisation (van den Oord et al. 2017) whose codes are running means (appendix A.1):

        N_i <- γ N_i + (1 - γ) n_i,   m_i <- γ m_i + (1 - γ) Σ h,   e_i = m_i / N_i.

    A forward pass in training only counts; :meth:`update` then moves the codes, once a step. At
    first they are outputs of the encoder; a code that is hardly used becomes one again.

    Args:
        size, dim: K codes of D channels.
        decay: γ.
        restart: share of the mean use below which a code begins anew.
        cosine: compare directions alone (Yu et al. 2021, "Vector-quantized Image Modeling").
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor
    new_counts: Tensor
    new_sums: Tensor
    candidates: Tensor
    begun: Tensor

    def __init__(
        self, size: int, dim: int, *, decay: float = 0.99, restart: float = 0.1, cosine: bool = True
    ) -> None:
        super().__init__()
        self.size, self.dim = size, dim
        self.decay, self.restart, self.cosine = decay, restart, cosine
        self.register_buffer("codes", self._placed(torch.randn(size, dim)))
        for name, shape in _STATISTICS.items():
            self.register_buffer(name, torch.zeros([size, dim][:shape]))
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def forward(self, h: Tensor, generator: torch.Generator | None = None) -> Quantised:
        """``generator`` chooses the outputs that may become codes; without one nothing counts."""
        h = self._placed(h.float().movedim(1, -1))  # => [B, H, W, D]
        vectors = h.detach().flatten(0, 2)  # [N, D]
        with torch.no_grad(), torch.autocast(h.device.type, enabled=False):
            codes = self._nearest(vectors)
            if generator is not None:
                self._count(vectors, codes, generator)
        codes = codes.view(h.shape[:3])
        z = F.embedding(codes, self.codes)
        commitment = (h - z).square().sum((1, 2, 3))
        return Quantised((h + (z - h).detach()).movedim(-1, 1), codes, commitment)

    def embed(self, codes: Tensor) -> Tensor:
        """Codes [B, H, W] to their vectors [B, D, H, W]."""
        return F.embedding(codes, self.codes).movedim(-1, 1)

    def digits(self) -> Tensor:
        """Nothing is known of the K codes, [K, 0]: they move."""
        return torch.zeros(self.size, 0)

    @torch.no_grad()
    def update(self) -> None:
        """Moves the codes by what was counted since the last time."""
        mean = self.new_counts.mean()
        self.counts.lerp_(self.new_counts, 1 - self.decay)
        self.sums.lerp_(self.new_sums, 1 - self.decay)
        dead = (self.counts < self.restart * mean) | ~self.begun
        self.counts.copy_(torch.where(dead, mean, self.counts))
        fresh = dead[:, None]
        self.sums.copy_(torch.where(fresh, mean * self.candidates, self.sums))
        means = self.sums / self.counts.clamp(min=1e-9)[:, None]
        self.codes.copy_(self._placed(means))
        self.begun.fill_(True)
        self.new_counts.zero_()
        self.new_sums.zero_()

    def _count(self, vectors: Tensor, codes: Tensor, generator: torch.Generator) -> None:
        taken = F.one_hot(codes, self.size).float()  # a product is the same sum every time
        self.new_counts += taken.sum(0)
        self.new_sums += taken.T @ vectors
        u = torch.rand(self.size, generator=generator, device=vectors.device)
        self.candidates.copy_(vectors[(u * len(vectors)).long()])

    def _nearest(self, vectors: Tensor) -> Tensor:
        """The code [N] of least distance: |h|² is the same for all."""
        return (self.codes.square().sum(1) - 2 * vectors @ self.codes.T).argmin(1)

    def _placed(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1) if self.cosine else vectors


_STATISTICS = {"counts": 1, "sums": 2, "new_counts": 1, "new_sums": 2, "candidates": 2}
"""Statistics of K codes, and the dimensions of each: [K] or [K, D]."""


def perplexity(codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """How many of ``size`` codes are used as if evenly, e^entropy; and how many are not used."""
    share = torch.bincount(codes.flatten(), minlength=size).float() / codes.numel()
    return torch.special.entr(share).sum().exp(), (share == 0).sum().float()
