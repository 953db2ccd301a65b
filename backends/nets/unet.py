"""A small U-Net (Ronneberger 2015; Ho 2020) that a time and a class steer."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.nets.blocks import Attention, GroupNorm, ResBlock, TimeEmbedding, widths, zero


class UNet(nn.Module):
    """Maps noised images, their times and classes to something of the images' shape.

    Levels have base, 2·base, 4·base, ... channels, each at half the resolution of the one before,
    with one residual block on the way down and one on the way up. The last convolution starts at
    zero, so an untrained net answers zero.

    Args:
        channels: of the images; their sides must be multiples of 2^(levels - 1).
        classes: number of classes; class ``classes`` means "none". 0 for a net without classes.
        attention: attend over all positions of the coarsest level.
    """

    def __init__(
        self,
        channels: int,
        *,
        base: int = 32,
        levels: int = 3,
        classes: int = 0,
        attention: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        c = widths(base, levels, limit=8 * base)
        steer = 4 * base
        self.time = TimeEmbedding(steer)
        self.label = nn.Embedding(classes + 1, steer) if classes else None
        self.stem = nn.Conv2d(channels, c[0], 3, padding=1)
        self.down = nn.ModuleList(ResBlock(w, w, steer, dropout) for w in c[:-1])
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(c)
        )
        self.middle = ResBlock(c[-1], c[-1], steer, dropout)
        self.attention = Attention(c[-1]) if attention else nn.Identity()
        self.last = ResBlock(c[-1], c[-1], steer, dropout)
        self.grow = nn.ModuleList(
            nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in pairwise(c)
        )
        self.up = nn.ModuleList(ResBlock(2 * w, w, steer, dropout) for w in c[:-1])
        self.out = nn.Sequential(
            GroupNorm(c[0]), nn.SiLU(), zero(nn.Conv2d(c[0], channels, 3, padding=1))
        )

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """[B, C, H, W], times [B] in [0, 1] and classes [B] to [B, C, H, W]."""
        steer = self.time(t)
        if self.label is not None and y is not None:
            steer = steer + self.label(y)
        steer = F.silu(steer)
        h = self.stem(x)
        skips: list[Tensor] = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            h = block(h, steer)
            skips.append(h)
            h = shrink(h)
        h = self.last(self.attention(self.middle(h, steer)), steer)
        for block, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            h = F.interpolate(grow(h), scale_factor=2.0, mode="nearest")
            h = block(torch.cat([h, skips.pop()], dim=1), steer)
        return self.out(h)
