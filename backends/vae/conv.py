"""Convolutional VAE: encodes pictures into a small Gaussian latent space and draws from it.

Kingma & Welling 2013, "Auto-Encoding Variational Bayes", with convolutions; the bound and the prior
are in ``_bound.py`` and ``_prior.py``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from backends.knobs import Bounds
from backends.model import DataShape
from backends.nets.blocks import GroupNorm, halvings, image_size, widths
from backends.vae._bound import VAE, BoundConfig


@dataclass(frozen=True, kw_only=True)
class Config(BoundConfig):
    """Knobs of the convolutional VAE."""

    width: Annotated[
        int, "channels at full resolution; doubled with each halving", Bounds(4, 256)
    ] = 16


class ConvVAE(VAE):
    """Encoder and decoder halve and double the sides."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1000,
        "lr": 6e-3,
        "clip_grad": 0.0,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        channels, height, width = image_size(shape)
        super().__init__(config, shape)
        depth = halvings(height, width)
        c = widths(config.width, depth + 1)
        inner = (c[-1], height >> depth, width >> depth)
        features = math.prod(inner)
        self.encoder = nn.Sequential(*_encoder(channels, c), nn.Flatten())
        self.narrow = nn.Linear(features + self.label, 2 * config.latent)
        self.widen = nn.Linear(config.latent + self.label, features)
        self.decoder = nn.Sequential(nn.Unflatten(1, inner), *_decoder(channels, c))

    def encode(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.narrow(self.labelled(self.encoder(x), y))

    def decode(self, z: Tensor, y: Tensor | None) -> Tensor:
        return self.decoder(self.widen(self.labelled(z, y)))


def _encoder(channels: int, c: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in zip([channels, *c[1:-1]], c[1:], strict=True):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), GroupNorm(after), nn.SiLU()]
    return layers


def _decoder(channels: int, c: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in zip(c[:0:-1], c[-2::-1], strict=True):
        layers += [GroupNorm(before), nn.SiLU(), _up(before, after)]
    return [*layers, GroupNorm(c[0]), nn.SiLU(), nn.Conv2d(c[0], channels, 3, padding=1)]


def _up(before: int, after: int) -> nn.Module:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
