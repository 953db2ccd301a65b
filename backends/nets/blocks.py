"""Building blocks of the image networks: norms, residual blocks, attention, embeddings.

Shapes are [B, C, H, W]. Every block runs under autocast and in channels_last.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.knobs import ConfigError
from backends.model import DataShape
from backends.nets.attention import attend

SMALLEST, LARGEST = 16, 128


def image_size(shape: DataShape, multiple: int = 4) -> tuple[int, int, int]:
    """The (channels, height, width) of images that these networks can be built for.

    Raises:
        ConfigError: for other channels than 1 or 3, a side outside 16..128, or one that
            ``multiple`` does not divide.
    """
    channels, *sides = shape.size
    if channels not in (1, 3) or len(sides) != 2:
        raise ConfigError(f"images must have 1 or 3 channels, not the shape {shape.size}")
    if any(not SMALLEST <= side <= LARGEST or side % multiple for side in sides):
        raise ConfigError(
            f"the sides of the images must be multiples of {multiple} "
            f"from {SMALLEST} to {LARGEST}, not {sides[0]} x {sides[1]}"
        )
    return channels, sides[0], sides[1]


def halvings(height: int, width: int) -> int:
    """How often both sides can be halved before one falls below 4: 28 -> 14 -> 7 is 2."""
    count = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, count = height // 2, width // 2, count + 1
    return count


def chunks(count: int, size: int = 256) -> list[slice]:
    """Slices that cover range(count), so that many samples need no more memory than ``size``."""
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]


class GroupNorm(nn.GroupNorm):
    """Wu & He 2018, in at most 8 groups and always in float32.

    CUDA's autocast does so by itself; the CPU's bfloat16 kernel is five times slower in
    channels_last than two casts and the float32 one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(math.gcd(channels, 8), channels)

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, ...] to the same shape and type."""
        return super().forward(input.float()).to(input.dtype)


def zero(module: nn.Module) -> nn.Module:
    """``module`` with zero parameters: what it is added to starts as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class ResBlock(nn.Module):
    """Pre-activation residual block that ``condition`` scales and shifts (FiLM, Perez 2018)."""

    def __init__(self, before: int, after: int, condition: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1, self.conv1 = GroupNorm(before), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = GroupNorm(after), zero(nn.Conv2d(after, after, 3, padding=1))
        self.film = nn.Linear(condition, 2 * after) if condition else None
        self.dropout = nn.Dropout(dropout)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """[B, before, H, W] and [B, condition] to [B, after, H, W]."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.film is not None:
            scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return self.skip(x) + self.conv2(self.dropout(F.silu(h)))


class Attention(nn.Module):
    """Residual self-attention over the H·W positions.

    The products are written out: bfloat16 SDPA on the CPU is several times slower than this.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = math.gcd(channels, heads)
        self.norm, self.qkv = GroupNorm(channels), nn.Conv2d(channels, 3 * channels, 1)
        self.out = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        qkv = self.qkv(self.norm(x)).flatten(2).unflatten(1, (3 * self.heads, -1))
        q, k, v = qkv.chunk(3, dim=1)  # each [B, heads, C / heads, H·W]
        weights = (q.transpose(2, 3) @ k).float() / math.sqrt(q.shape[2])
        h = v @ weights.softmax(-1).to(v.dtype).transpose(2, 3)
        return x + self.out(h.flatten(1, 2).unflatten(2, x.shape[2:]))


class CrossAttention(nn.Module):
    """What the H·W positions take from the tokens of a context (Rombach 2022, section 3.3).

    One token more is always there, and learned: what a context without any token says.
    """

    def __init__(self, channels: int, context: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = math.gcd(channels, heads)
        self.norm, self.q = GroupNorm(channels), nn.Conv2d(channels, channels, 1)
        self.nothing = nn.Parameter(torch.zeros(1, 1, context))
        self.kv = nn.Linear(context, 2 * channels)
        self.out = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, C, H, W] and tokens [B, T, D], ``mask`` [B, T] False where they are none."""
        tokens = torch.cat([self.nothing.expand(len(x), -1, -1).type_as(context), context], dim=1)
        kv = self.kv(tokens).unflatten(-1, (2 * self.heads, -1)).transpose(1, 2)
        k, v = kv.chunk(2, dim=1)  # each [B, heads, 1 + T, C / heads]
        q = self.q(self.norm(x)).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
        seen = None if mask is None else F.pad(mask, (1, 0), value=True)[:, None, None]
        h = attend(q, k, v, seen)  # [B, heads, H·W, C / heads]
        return x + self.out(h.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:]))


class TimeEmbedding(nn.Module):
    """Sines and cosines of t in [0, 1] at frequencies 1 to 1000, then an MLP (Ho 2020)."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        scale = torch.logspace(0, 3, width // 2)
        self.register_buffer("frequencies", scale, persistent=False)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """[B] to [B, width]."""
        angle = t.float()[:, None] * self.frequencies
        return self.mlp(torch.cat([angle.cos(), angle.sin()], dim=1))


def widths(base: int, levels: int, limit: int = 256) -> list[int]:
    """Channels from the finest level to the coarsest: doubled each time, up to ``limit``."""
    return [min(base * 2**level, max(base, limit)) for level in range(levels)]
