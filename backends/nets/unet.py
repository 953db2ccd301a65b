"""A small U-Net (Ronneberger 2015; Ho 2020) that a time, a class and a text steer."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.nets.blocks import (
    Attention,
    CrossAttention,
    GroupNorm,
    ResBlock,
    TimeEmbedding,
    widths,
    zero,
)


class UNet(nn.Module):
    """Maps noised images, their times and conditions to something of the images' shape.

    Levels have base, 2·base, 4·base, ... channels, each at half the resolution of the one before,
    with ``blocks`` residual blocks on the way down and as many on the way up. The last convolution
    starts at zero, so an untrained net answers zero.

    Args:
        channels: of the images; their sides must be multiples of 2^(levels - 1).
        extra: channels of a picture that is given beside the noised one.
        classes: number of classes; class ``classes`` means "none". 0 for a net without classes.
        attention: attend over all positions of the coarsest level.
        context: channels of the tokens that every level but the finest attends to; 0 is none.
        hints: numbers that tell how a picture was augmented; 0 is none.
    """

    def __init__(
        self,
        channels: int,
        *,
        extra: int = 0,
        base: int = 32,
        levels: int = 3,
        blocks: int = 1,
        classes: int = 0,
        attention: bool = False,
        dropout: float = 0.0,
        context: int = 0,
        hints: int = 0,
    ) -> None:
        super().__init__()
        c = widths(base, levels, limit=8 * base)
        steer = 4 * base
        self.time = TimeEmbedding(steer)
        self.label = nn.Embedding(classes + 1, steer) if classes else None
        self.hint = nn.Linear(hints, steer, bias=False) if hints else None
        self.stem = nn.Conv2d(channels + extra, c[0], 3, padding=1)

        def level(depth: int, before: int) -> "Level":
            told = context if depth or levels == 1 else 0
            return Level(before, c[depth], steer, blocks, dropout, told)

        self.down = nn.ModuleList(level(i, c[i]) for i in range(levels - 1))
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(c)
        )
        self.middle = Level(c[-1], c[-1], steer, blocks, dropout, context)
        self.attention = Attention(c[-1]) if attention else nn.Identity()
        self.last = Level(c[-1], c[-1], steer, blocks, dropout, 0)
        self.grow = nn.ModuleList(
            nn.Conv2d(coarse, fine, 3, padding=1) for fine, coarse in pairwise(c)
        )
        self.up = nn.ModuleList(level(i, 2 * c[i]) for i in range(levels - 1))
        self.out = nn.Sequential(
            GroupNorm(c[0]), nn.SiLU(), zero(nn.Conv2d(c[0], channels, 3, padding=1))
        )

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        y: Tensor | None = None,
        extra: Tensor | None = None,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        hints: Tensor | None = None,
    ) -> Tensor:
        """[B, C, H, W], times [B] and conditions to [B, C, H, W].

        Args:
            y: classes [B].
            extra: a picture [B, extra, H, W] beside ``x``.
            context: tokens [B, T, D] to attend to, and ``mask`` [B, T], False where they are none.
            hints: [B, hints]; None is zeros, which mean that nothing was done.
        """
        steer = self.time(t)
        if self.label is not None and y is not None:
            steer = steer + self.label(y)
        if self.hint is not None and hints is not None:
            steer = steer + self.hint(hints)
        told = (F.silu(steer), context, mask)
        h = self.stem(x if extra is None else torch.cat([x, extra], dim=1))
        skips: list[Tensor] = []
        for level, shrink in zip(self.down, self.shrink, strict=True):
            h = level(h, *told)
            skips.append(h)
            h = shrink(h)
        h = self.last(self.attention(self.middle(h, *told)), *told)
        for level, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            h = F.interpolate(grow(h), scale_factor=2.0, mode="nearest")
            h = level(torch.cat([h, skips.pop()], dim=1), *told)
        return self.out(h)


class Level(nn.Module):
    """Residual blocks of one resolution, then a look at the context where there is one."""

    def __init__(
        self, before: int, after: int, steer: int, blocks: int, dropout: float, context: int
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResBlock(after if i else before, after, steer, dropout) for i in range(blocks)
        )
        self.look = CrossAttention(after, context) if context else None

    def forward(
        self, h: Tensor, steer: Tensor, context: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """[B, before, H, W] to [B, after, H, W]."""
        for block in self.blocks:
            h = block(h, steer)
        if self.look is not None and context is not None:
            h = self.look(h, context, mask)
        return h
