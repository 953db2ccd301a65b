"""The first GAN: two perceptrons, one that forges pictures and one that tells them from real ones.

Goodfellow et al. 2014, "Generative Adversarial Nets", on flattened pictures of any size. ``large``
and ``small`` are the two nets that are usual for it, to be played ``non_saturating`` as published.
The default, three equally wide layers, plays the game of Huang 2024, "The GAN is dead; long live
the GAN! A Modern GAN Baseline", and learns several times better in the same time.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from backends.gan._game import Game, GameConfig, walk
from backends.gan._projection import Projection
from backends.knobs import Bounds, ConfigError, Only
from backends.model import DataShape


@dataclass(frozen=True, kw_only=True)
class Config(GameConfig):
    """Knobs of the first GAN."""

    latent: Annotated[int, "dimensions of the latent space, 100 as published", Bounds(2, 1024)] = 64
    gamma: Annotated[
        float,
        "weight of R1 and R2 at the start; 1 to 0.1 at 16 x 16",
        Bounds(0, 1000),
        Only("loss", "relativistic"),
    ] = 5.0
    gamma_final: Annotated[
        float, "their weight at the end", Bounds(0, 1000), Only("loss", "relativistic")
    ] = 2.0
    noise: Annotated[Literal["normal", "uniform"], "distribution of the latents"] = "normal"
    networks: Annotated[
        Literal["even", "large", "small"],
        "G's layers: width x depth, 256-512-1024 (leak 0.2) or 128-256-512 (leak 0.01)",
    ] = "even"
    width: Annotated[int, "units of a layer (even)", Bounds(4, 8192), Only("networks", "even")] = (
        512
    )
    depth: Annotated[int, "hidden layers (even)", Bounds(1, 16), Only("networks", "even")] = 3


class MLPGAN(Game):
    """The generator G and the discriminator D."""

    Config = Config
    one_pass = True
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 3000,
        "lr": 5e-4,
        "beta1": 0.0,
        "clip_grad": 0.0,
        "ema_half_life": 200.0,
        "validate_every": 500,
        "sample_every": 500,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.seat(Generator(config, self.shape), Discriminator(config, self.shape))

    def latents(self, count: int, generator: torch.Generator) -> Tensor:
        if self.config.noise == "normal":
            return super().latents(count, generator)
        size = (count, self.config.latent)
        return 2 * torch.rand(*size, generator=generator, device=self.device) - 1

    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        if self.config.noise == "normal":
            return walk(a, b, t)
        return torch.lerp(a, b, t[:, None])  # the arc would leave the cube


class Generator(nn.Module):
    """Latents [B, latent] and classes [B] to images [B, C, H, W] in [-1, 1]."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        label = 32 if shape.num_classes else 0
        self.embed = nn.Embedding(shape.num_classes, label) if label else None
        units = [config.latent + label, *_units(config)]
        self.net = nn.Sequential(
            *_hidden(units, config), nn.Linear(units[-1], _pixels(shape)), nn.Tanh()
        )
        self.inner = shape.size

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        if self.embed is not None:
            z = torch.cat([z, self.embed(y)], dim=1)
        return self.net(z).unflatten(1, self.inner)  # => [B, C, H, W]


class Discriminator(nn.Module):
    """Images [B, C, H, W] and classes [B] to outputs [B]; G's layers, mirrored."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        units = [_pixels(shape), *_units(config)[::-1]]
        self.net = nn.Sequential(nn.Flatten(), *_hidden(units, config))
        self.head = Projection(units[-1], shape.num_classes)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.head(self.net(x), y)


def _units(config: Config) -> Sequence[int]:
    sizes = {"large": (256, 512, 1024), "small": (128, 256, 512)}
    return sizes.get(config.networks, (config.width,) * config.depth)


def _hidden(units: Sequence[int], config: Config) -> list[nn.Module]:
    leak = 0.01 if config.networks == "small" else 0.2
    pairs = list(pairwise(units))
    return [layer for pair in pairs for layer in (nn.Linear(*pair), nn.LeakyReLU(leak))]


def _pixels(shape: DataShape) -> int:
    if len(shape.size) != 3:
        raise ConfigError(f"this model needs images (C, H, W), not the shape {shape.size}")
    return math.prod(shape.size)
