"""Coupled GAN: draws one thing in two ways at once, without ever having seen a pair.

Liu & Tuzel 2016, "Coupled Generative Adversarial Networks". There is one game a domain; the
generators share their first layers, which decide what is drawn, and the discriminators their last
ones. So one latent means the same in both, although each is learned from its own pictures alone:

    min over g, max over f of V(f_1, g_1) + V(f_2, g_2), with layers shared      (section 3, eq. 5)

Of data with classes a domain may also be a class, and there may be more than two.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.gan._game import Game, GameConfig
from backends.gan._projection import Projection
from backends.knobs import Bounds, ConfigError
from backends.model import Batch, DataShape, Losses
from backends.nets.blocks import GroupNorm, halvings, image_size, widths
from backends.records import SampleRequest

MOST_DOMAINS = 16


@dataclass(frozen=True, kw_only=True)
class Config(GameConfig):
    """Knobs of the coupled GAN."""

    domains: Annotated[
        Literal["edges", "negative", "classes"],
        "the pictures and their edges or negatives; or the classes of the data, two folders, say",
    ] = "edges"
    width: Annotated[
        int, "channels at half the resolution; doubled with each further halving", Bounds(4, 256)
    ] = 32


class CoGAN(Game):
    """The generators G and the discriminators D of all domains.

    Within a step the domains lie in one batch; ``y`` of a picture is class · domains + domain.
    """

    Config = Config
    one_pass = True
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1200,
        "batch_size": 32,
        "lr": 2e-3,
        "beta1": 0.0,
        "clip_grad": 0.0,
        "sample_count": 32,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.domains = _domains(config, shape)
        if config.domains == "classes":
            self.shape = replace(shape, classes=())
        self.seat(
            Generators(config, self.shape, len(self.domains)),
            Discriminators(config.width, self.shape, len(self.domains)),
        )

    # ------------------------------------------------------------------ one step

    def coupled(self, batch: Batch) -> Batch:
        """A batch of the pictures of all domains, B · domains in all."""
        if self.config.domains == "classes":
            return batch
        x = torch.stack([batch.x, self.transformed(batch.x)], dim=1)  # [B, 2, C, H, W]
        y = torch.arange(2, device=x.device).repeat(len(x))
        if batch.y is not None and self.shape.num_classes:
            y = y + 2 * batch.y.repeat_interleave(2)
        return replace(batch, x=x.flatten(0, 1), y=y)

    def transformed(self, x: Tensor) -> Tensor:
        """Pictures of the first domain as the second shows them."""
        return edges(x) if self.config.domains == "edges" else -x

    def discriminator_loss(self, batch: Batch) -> Losses:
        return super().discriminator_loss(self.coupled(batch))

    def generator_loss(self, batch: Batch) -> Losses:
        return super().generator_loss(self.coupled(batch))

    def generate(self, batch: Batch) -> Tensor:
        """Pictures [B, C, H, W] for a coupled batch, its domains drawn from the same latents."""
        assert batch.y is not None
        if self.config.domains == "classes":
            several = self.G(self.latents(len(batch.x), batch.generator), None)
            return several[torch.arange(len(several), device=batch.y.device), batch.y]
        z = self.latents(len(batch.x) // 2, batch.generator)
        return self.G(z, batch.y[::2] // 2).flatten(0, 1)

    def health(self, real: Tensor, fake: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What is watched of any game, and D's outputs for each domain."""
        terms = super().health(real, fake, batch)
        assert batch.y is not None
        for index, name in enumerate(self.domains):
            here = (batch.y % len(self.domains) == index).float()
            share = here / here.sum().clamp(min=1)
            terms |= {f"real/{name}": (share * real).sum(), f"fake/{name}": (share * fake).sum()}
        return terms

    # ------------------------------------------------------------------ looking at it

    def validation(self, batch: Batch) -> Losses:
        """The game on held-out pictures, and how well the domains agree."""
        batch = self.coupled(batch)
        terms = super().validation(batch)
        if self.config.domains == "classes" or len(batch.x) < 4:
            return terms
        images = self.generate(batch).float()
        return {**terms, "agreement": self.agreement(images[::2], images[1::2])}

    def agreement(self, first: Tensor, second: Tensor) -> Tensor:
        """1 where each picture's second is just what its first is transformed to, 0 where it could
        be that of any other; after the ratio of pixels that agree (section 4)."""
        wanted = self.transformed(first)
        error, any_other = ((wanted - x).abs().mean() for x in (second, second.roll(1, 0)))
        return 1 - error / any_other.clamp(min=1e-6)

    def paint(
        self, z: Tensor, y: Tensor | None, request: SampleRequest, generator: torch.Generator
    ) -> Tensor:
        """The pictures of one latent in all domains, side by side [N, C, H, domains · W]."""
        return self.G(z, y).movedim(1, 3).flatten(3, 4)


def edges(x: Tensor) -> Tensor:
    """Slopes of pictures [B, C, H, W] in [-1, 1], found by Sobel's filter: -1 is none, 1 a step
    from black to white."""
    row = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=x.device) / 8
    kernels = torch.stack([row, row.t()])[:, None]  # [2, 1, 3, 3]
    planes = F.pad(x.float(), (1, 1, 1, 1), mode="replicate").flatten(0, 1)[:, None]
    with torch.autocast(x.device.type, enabled=False):
        slopes = F.conv2d(planes, kernels)  # [B C, 2, H, W]
    strength = slopes.square().sum(1).sqrt().clamp(max=1)
    return (2 * strength - 1).reshape(x.shape)


class Generators(nn.Module):
    """Latents [B, latent] and classes [B] to images [B, domains, C, H, W] in [-1, 1]."""

    def __init__(self, config: Config, shape: DataShape, domains: int) -> None:
        super().__init__()
        channels, height, breadth = image_size(shape)
        depth, label = halvings(height, breadth), 32 if shape.num_classes else 0
        c = widths(config.width, depth)[::-1]
        self.inner = (c[0], height >> depth, breadth >> depth)
        self.embed = nn.Embedding(shape.num_classes, label) if label else None
        self.project = nn.Linear(config.latent + label, math.prod(self.inner))
        layers: list[nn.Module] = [GroupNorm(c[0]), nn.ReLU()]
        for before, after in pairwise(c):
            layers += [_up(before, after), GroupNorm(after), nn.ReLU()]
        self.shared = nn.Sequential(*layers)
        own = max(4, c[-1] // 2)
        self.own = nn.ModuleList(
            nn.Sequential(
                *(_up(c[-1], own), GroupNorm(own), nn.ReLU()),
                *(nn.Conv2d(own, channels, 3, padding=1), nn.Tanh()),
            )
            for _ in range(domains)
        )

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        if self.embed is not None:
            z = torch.cat([z, self.embed(y)], dim=1)
        h = self.shared(self.project(z).unflatten(1, self.inner))
        return torch.stack([own(h) for own in self.own], dim=1)


class Discriminators(nn.Module):
    """Images [B, C, H, W] of domains, told by ``y``, to outputs [B]; greater means more real."""

    def __init__(self, width: int, shape: DataShape, domains: int) -> None:
        super().__init__()
        channels, height, breadth = image_size(shape)
        depth = halvings(height, breadth)
        c = widths(width, depth)
        self.own = nn.ModuleList(_down(channels, c[0]) for _ in range(domains))
        layers = [layer for pair in pairwise(c) for layer in (_down(*pair), nn.LeakyReLU(0.2))]
        self.shared = nn.Sequential(nn.LeakyReLU(0.2), *layers, nn.Flatten())
        self.head = Projection(c[-1] * (height >> depth) * (breadth >> depth), shape.num_classes)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        several = torch.stack([own(x) for own in self.own], dim=1)  # [B, domains, C, H, W]
        domain = y % len(self.own)
        h = several[torch.arange(len(x), device=x.device), domain]
        return self.head(self.shared(h), y // len(self.own))


def _domains(config: Config, shape: DataShape) -> Sequence[str]:
    """Names of the domains, for the log."""
    if config.domains != "classes":
        return ("picture", config.domains)
    if not 2 <= shape.num_classes <= MOST_DOMAINS:
        raise ConfigError(
            f"with domains=classes the data must have 2 to {MOST_DOMAINS} classes, one sub-folder "
            f"each, and there are {shape.num_classes}: choose edges or negative instead"
        )
    return tuple(str(index) for index in range(shape.num_classes))


def _up(before: int, after: int) -> nn.Module:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)


def _down(before: int, after: int) -> nn.Module:
    return nn.Conv2d(before, after, 4, stride=2, padding=1)
