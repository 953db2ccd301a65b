"""Gated PixelCNN: convolutions that see what is above and to the left, and nothing else."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GatedLayer(nn.Module):
    """Two stacks (van den Oord 2016b, figure 2): the vertical one sees the rows above and hands
    them to the horizontal one, which sees what is left in its own row: no pixel is overlooked.

    Vertical features of row i tell of rows up to i, and reach the horizontal stack a row later.
    """

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.vertical = nn.Conv2d(width, 2 * width, (2, 3))
        self.horizontal = nn.Conv2d(width, 2 * width, (1, 2))
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.condition = nn.Linear(condition, 4 * width) if condition else None
        nn.init.zeros_(self.out.weight)

    def above(self, v: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """The next vertical features [B, C, H, W], and what they tell the horizontal stack [B, 2 C,
        H, W]; ``y`` [B, condition] steers both gates (section 2.3)."""
        seen = self.vertical(F.pad(v, (1, 1, 1, 0)))
        told = self.link(_row_later(seen))
        if self.condition is not None and y is not None:
            one, two = self.condition(y)[:, :, None, None].chunk(2, dim=1)
            seen, told = seen + one, told + two
        return gate(seen), told

    def left(self, h: Tensor, told: Tensor) -> Tensor:
        """The next horizontal features [B, C, H, W]."""
        return h + self.out(gate(self.horizontal(F.pad(h, (1, 0, 0, 0))) + told))


class PixelCNN(nn.Module):
    """Features [B, width, H, W] of every pixel that tell of the pixels before it in reading order.

    Args:
        channels: of the pictures.
        condition: channels of what steers the gates; 0 is nothing.

    Attributes:
        reach: how far up, left and right a pixel sees at most.
    """

    def __init__(self, channels: int, *, width: int, layers: int, condition: int = 0) -> None:
        super().__init__()
        self.above = nn.Conv2d(channels, width, (2, 3))
        self.left = nn.Conv2d(channels, width, (1, 2))
        self.layers = nn.ModuleList(GatedLayer(width, condition) for _ in range(layers))
        self.reach = layers + 2

    def forward(self, x: Tensor, y: Tensor | None = None, place: Tensor | None = None) -> Tensor:
        """``x`` [B, channels, H, W] in [-1, 1] and a condition [B, D] to [B, width, H, W].

        ``place`` [width, H, W] tells both stacks where in the picture they are.
        """
        return self.in_row(x, self.from_above(x, y, place))

    def from_above(
        self, x: Tensor, y: Tensor | None = None, place: Tensor | None = None
    ) -> list[Tensor]:
        """What the vertical stack tells each layer of the horizontal one, [B, ..., H, W] each: a
        function of the rows above alone."""
        v = self.above(F.pad(x, (1, 1, 1, 0)))
        told = [_row_later(v)]
        if place is not None:
            v, told = v + place, [told[0] + place]
        for layer in self.layers:
            v, more = layer.above(v, y)  # pyright: ignore[reportCallIssue]
            told.append(more)
        return told

    def in_row(self, x: Tensor, told: Sequence[Tensor]) -> Tensor:
        """The horizontal stack: features of every pixel from those left of it and what was told."""
        h = self.left(F.pad(x, (2, -1, 0, 0))) + told[0]  # the pixel itself is not seen
        for layer, more in zip(self.layers, told[1:], strict=True):
            h = layer.left(h, more)  # pyright: ignore[reportCallIssue]
        return h


def _row_later(x: Tensor) -> Tensor:
    """Every row's features where the next row reads them; nothing for the first."""
    return F.pad(x, (0, 0, 1, -1))


def gate(x: Tensor) -> Tensor:
    """tanh(a) ⊙ σ(b) of the halves a, b of the channels (eq. 2)."""
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)
