"""A diffusion Transformer (Peebles & Xie 2022, "Scalable Diffusion Models with Transformers")."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.nets.attention import attend, rms_norm
from backends.nets.blocks import TimeEmbedding, zero


class DiT(nn.Module):
    """Maps noised images, their times and classes to something of the images' shape.

    The image is cut into patches, one token each, with the sines and cosines of its place; the time
    and the class scale, shift and gate every block. Gates and the last layer start at zero, so an
    untrained net answers zero.

    Args:
        channels: of the images.
        size: (height, width) of the images, multiples of ``patch``.
        patch: side of a patch in pixels.
        width: channels of a token, a multiple of 4 and of ``heads``.
        extra: channels of a picture that is given beside the noised one.
        classes: number of classes; class ``classes`` means "none". 0 for a net without classes.
    """

    places: Tensor

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        *,
        patch: int,
        width: int,
        layers: int,
        heads: int,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        extra: int = 0,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.patch, self.grid = patch, (size[0] // patch, size[1] // patch)
        self.time = TimeEmbedding(width)
        self.label = nn.Embedding(classes + 1, width) if classes else None
        self.embed = nn.Linear((channels + extra) * patch**2, width)
        self.register_buffer("places", sines(*self.grid, width), persistent=False)
        self.blocks = nn.ModuleList(Block(width, heads, mlp_ratio, dropout) for _ in range(layers))
        self.adapt = zero(nn.Linear(width, 2 * width))
        self.out = zero(nn.Linear(width, channels * patch**2))

    def forward(
        self, x: Tensor, t: Tensor, y: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        """[B, C, H, W], times [B], classes [B] and a picture beside ``x`` to [B, C, H, W]."""
        steer = self.time(t)
        if self.label is not None and y is not None:
            steer = steer + self.label(y)
        steer = F.silu(steer)
        x = x if extra is None else torch.cat([x, extra], dim=1)
        h = self.embed(patches(x, self.patch)) + self.places  # [B, T, width]
        for block in self.blocks:
            h = block(h, steer)
        shift, scale = self.adapt(steer)[:, None].chunk(2, dim=-1)
        return picture(self.out(modulated(h, shift, scale)), self.patch, self.grid)


class Block(nn.Module):
    """adaLN-Zero, figure 3: both branches are normalised, scaled, shifted and gated by ``steer``.

    Queries and keys are normalised (Henry 2020), which lets the rate be higher.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        self.heads, hidden = heads, round(width * mlp_ratio)
        self.adapt = zero(nn.Linear(width, 6 * width))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, steer: Tensor) -> Tensor:
        """Tokens [B, T, C] and what steers them [B, C] to [B, T, C]."""
        parts = self.adapt(steer)[:, None].chunk(6, dim=-1)  # [B, 1, C] each
        h = h + parts[2] * self.dropout(self._attention(modulated(h, *parts[:2])))
        return h + parts[5] * self.dropout(self._mlp(modulated(h, *parts[3:5])))

    def _attention(self, h: Tensor) -> Tensor:
        qkv = self.qkv(h).unflatten(-1, (3 * self.heads, -1)).transpose(1, 2)
        q, k, v = qkv.chunk(3, dim=1)  # each [B, heads, T, C / heads]
        y = attend(rms_norm(q.float()), rms_norm(k.float()), v)
        return self.out(y.transpose(1, 2).flatten(2))

    def _mlp(self, h: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(h), approximate="tanh"))


def modulated(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """The tokens [B, T, C], each normalised, then scaled and shifted by [B, 1, C]."""
    return F.layer_norm(h, h.shape[-1:], eps=1e-6) * (1 + scale) + shift


def patches(x: Tensor, side: int) -> Tensor:
    """[B, C, H, W] to [B, T, C · side²], row by row."""
    return F.pixel_unshuffle(x, side).flatten(2).transpose(1, 2)


def picture(tokens: Tensor, side: int, grid: tuple[int, int]) -> Tensor:
    """[B, T, C · side²] to [B, C, H, W]: the inverse of :func:`patches`."""
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, grid), side)


def sines(height: int, width: int, channels: int) -> Tensor:
    """Sines and cosines [height · width, channels] of the rows and of the columns, half each.

    Vaswani 2017, section 3.5, with wavelengths that begin at 2π and end at 10,000 times that.
    """
    theta = 10_000.0 ** (-torch.arange(channels // 4) / (channels // 4))
    rows, columns = (torch.arange(n)[:, None] * theta for n in (height, width))
    rows = torch.cat([rows.sin(), rows.cos()], dim=1)[:, None].expand(-1, width, -1)
    columns = torch.cat([columns.sin(), columns.cos()], dim=1)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1)
