"""R3GAN: a modern GAN without tricks: residual nets, no normalisation, one well-behaved loss.

Huang, Gokaslan, Kuleshov & Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN
Baseline". The game is relativistic (RpGAN) with R1 and R2, whose weight falls along a cosine. Both
networks are stacks of ResNeXt-like blocks, initialised so that they need no normalisation (Fixup,
Zhang 2019), with bilinear resampling between them and a learned basis at the smallest side.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.gan._game import Game, PlayersConfig
from backends.gan._losses import LossName
from backends.gan._projection import Projection
from backends.knobs import Bounds
from backends.model import DataShape
from backends.nets.blocks import halvings, image_size

LEAK = 0.2
GAIN = math.sqrt(2 / (1 + LEAK**2))
"""What keeps the variance through a leaky ReLU (He 2015)."""


@dataclass(frozen=True, kw_only=True)
class Config(PlayersConfig):
    """Knobs of R3GAN."""

    width: Annotated[
        int, "channels at full resolution; quadrupled with each halving", Bounds(4, 1024)
    ] = 8
    widest: Annotated[int, "limit of the channels", Bounds(4, 2048)] = 128
    blocks: Annotated[int, "residual blocks at each resolution; 2 as published", Bounds(1, 8)] = 1
    group: Annotated[int, "channels of a group of the 3x3 convolutions", Bounds(1, 256)] = 16
    gamma: Annotated[float, "weight of R1 and R2 at the start", Bounds(0, 1000)] = 1.0
    gamma_final: Annotated[float, "their weight at the end", Bounds(0, 1000)] = 0.1
    penalty_share: Annotated[
        float, "share of a batch on which R1 and R2 are measured", Bounds(0.01, 1)
    ] = 0.25


class R3GAN(Game):
    """The generator G and the discriminator D, mirror images of each other."""

    Config = Config
    one_pass = True
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 800,
        "batch_size": 32,
        "lr": 2e-3,
        "ema_half_life": 100.0,
        "beta1": 0.0,
        "clip_grad": 0.0,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.seat(Generator(config, self.shape), Discriminator(config, self.shape))

    @classmethod
    def rule(cls, config: Any) -> LossName:
        return "relativistic"


class Generator(nn.Module):
    """Latents [B, latent] and classes [B] to images [B, C, H, W], which are not bounded."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, inner, c = _plan(config, shape)
        label, total = 32 if shape.num_classes else 0, len(c) * config.blocks
        self.embed = nn.Embedding(shape.num_classes, label) if label else None
        self.basis = nn.Parameter(torch.randn(c[-1], *inner))
        self.project = _scaled(nn.Linear(config.latent + label, c[-1], bias=False))
        layers: list[nn.Module] = []
        for before, after in pairwise([c[-1], *c[::-1]]):
            if layers:
                layers += [_matched(before, after), Up()]
            layers += [Block(after, config.group, total) for _ in range(config.blocks)]
        self.net = nn.Sequential(*layers, _scaled(nn.Conv2d(c[0], channels, 1)))

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        if self.embed is not None:
            z = torch.cat([z, self.embed(y)], dim=1)
        h = self.basis * self.project(z)[:, :, None, None]  # => [B, c, 4, 4]
        return self.net(h)


class Discriminator(nn.Module):
    """Images [B, C, H, W] and classes [B] to outputs [B]; greater means more real."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, inner, c = _plan(config, shape)
        total = len(c) * config.blocks
        layers: list[nn.Module] = [_scaled(nn.Conv2d(channels, c[0], 1))]
        for level, (before, after) in enumerate(pairwise([c[0], *c])):
            if level:
                layers += [nn.AvgPool2d(2), _matched(before, after)]
            layers += [Block(after, config.group, total) for _ in range(config.blocks)]
        self.net = nn.Sequential(*layers)
        self.basis = nn.Parameter(torch.randn(c[-1], *inner) / math.sqrt(math.prod(inner)))
        self.head = Projection(c[-1], shape.num_classes)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        h = (self.net(x) * self.basis).sum((2, 3))  # [B, c, 4, 4] => [B, c]
        return self.head(h, y)


class Block(nn.Module):
    """x + f(x): 1x1 to twice the channels, grouped 3x3, 1x1 back (Huang 2024, section 3.3).

    With L = ``total`` blocks and three layers in each, all but the last begin smaller by L^(-1/4)
    and the last at 0 (Zhang 2019, section 3.1).
    """

    def __init__(self, channels: int, group: int, total: int) -> None:
        super().__init__()
        inner, gain = 2 * channels, GAIN * total**-0.25
        groups = max(1, inner // math.gcd(inner, group))
        self.net = nn.Sequential(
            *(_scaled(nn.Conv2d(channels, inner, 1), gain), nn.LeakyReLU(LEAK)),
            *(_scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=groups), gain),),
            *(nn.LeakyReLU(LEAK), _scaled(nn.Conv2d(inner, channels, 1, bias=False), 0.0)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] to the same shape."""
        return x + self.net(x)


class Up(nn.Module):
    """Twice the sides, bilinear."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _plan(config: Config, shape: DataShape) -> tuple[int, tuple[int, int], list[int]]:
    """Channels of the pictures, smallest sides, channels from the largest sides to the smallest."""
    channels, height, width = image_size(shape)
    depth = halvings(height, width)
    widest = max(config.width, config.widest)
    c = [min(config.width * 4**level, widest) for level in range(depth + 1)]
    return channels, (height >> depth, width >> depth), c


def _matched(before: int, after: int) -> nn.Module:
    """A 1x1 convolution where the number of channels changes."""
    if before == after:
        return nn.Identity()
    return _scaled(nn.Conv2d(before, after, 1, bias=False))


def _scaled(layer: nn.Linear | nn.Conv2d, gain: float = 1.0) -> nn.Module:
    """Weights of standard deviation gain / sqrt(fan-in), and no bias at first."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
