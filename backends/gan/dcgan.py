"""DCGAN: a generator and a discriminator of strided convolutions play against each other.

Radford, Metz & Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks". The default game is ``relativistic``: RpGAN + R1 + R2 of Huang
2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline": D compares real and generated
pictures in pairs and is kept smooth around both of them. ``non_saturating`` is Goodfellow 2014,
with batch norm and N(0, 0.02) weights as published.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from backends.gan._game import Game, GameConfig
from backends.gan._projection import Projection
from backends.knobs import Bounds
from backends.model import DataShape
from backends.nets.blocks import GroupNorm, halvings, image_size, widths

BATCH_NORM = ("non_saturating", "least_squares")
"""Games whose D takes batch norm: it mixes pictures, so those with gradient penalties cannot."""


@dataclass(frozen=True, kw_only=True)
class Config(GameConfig):
    """Knobs of DCGAN."""

    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 1024)] = 100
    width: Annotated[
        int, "channels at half the resolution; doubled with each further halving", Bounds(4, 256)
    ] = 32


class DCGAN(Game):
    """The generator G and the discriminator D of the paper."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 2500,
        "lr": 2e-3,
        "beta1": 0.0,
        "clip_grad": 0.0,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        batch_norm = config.loss in BATCH_NORM
        self.one_pass = not batch_norm or config.spectral_norm
        norm = nn.BatchNorm2d if batch_norm else GroupNorm
        self.seat(
            Generator(config.latent, config.width, self.shape, norm),
            Discriminator(config.width, self.shape, batch_norm=not self.one_pass),
        )
        if batch_norm:
            self.apply(_published_init)


class Generator(nn.Module):
    """Latents [B, latent] and classes [B] to images [B, C, H, W] in [-1, 1]."""

    def __init__(
        self, latent: int, width: int, shape: DataShape, norm: Callable[[int], nn.Module]
    ) -> None:
        super().__init__()
        channels, height, breadth = image_size(shape)
        depth, label = halvings(height, breadth), 32 if shape.num_classes else 0
        c = widths(width, depth)[::-1]
        self.inner = (c[0], height >> depth, breadth >> depth)
        self.embed = nn.Embedding(shape.num_classes, label) if label else None
        self.project = nn.Linear(latent + label, math.prod(self.inner))
        layers: list[nn.Module] = [norm(c[0]), nn.ReLU()]
        for before, after in pairwise(c):
            layers += [_up(before, after), norm(after), nn.ReLU()]
        self.net = nn.Sequential(*layers, _up(c[-1], channels), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        if self.embed is not None:
            z = torch.cat([z, self.embed(y)], dim=1)
        return self.net(self.project(z).unflatten(1, self.inner))  # => [B, C, H, W]


class Discriminator(nn.Module):
    """Images [B, C, H, W] and classes [B] to outputs [B]; greater means more real."""

    def __init__(self, width: int, shape: DataShape, *, batch_norm: bool = False) -> None:
        super().__init__()
        channels, height, breadth = image_size(shape)
        depth = halvings(height, breadth)
        c = [channels, *widths(width, depth)]
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(c)):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1)]
            layers += [nn.BatchNorm2d(after)] if batch_norm and level else []
            layers += [nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Flatten())
        self.head = Projection(c[-1] * (height >> depth) * (breadth >> depth), shape.num_classes)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.head(self.net(x), y)


def _up(before: int, after: int) -> nn.Module:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)


def _published_init(module: nn.Module) -> None:
    """Radford 2015, section 4."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
