"""DCGAN: a generator and a discriminator of strided convolutions play against each other.

Radford, Metz & Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks". Two games can be played:

``relativistic`` is RpGAN + R1 + R2 of Huang 2024, "The GAN is dead; long live the GAN! A Modern GAN
Baseline": D compares real and generated pictures in pairs and is kept smooth around both of them.
``non_saturating`` is Goodfellow 2014, with batch norm and N(0, 0.02) weights as published.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.knobs import Bounds
from backends.model import Batch, DataShape, Losses, Model, Phase, Samples
from backends.nets.blocks import GroupNorm, chunks, halvings, image_size, widths
from backends.records import Modality, SampleRequest


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of DCGAN."""

    loss: Annotated[
        Literal["relativistic", "non_saturating"],
        "relativistic with R1 and R2, or non_saturating as published (lr 2e-4, beta1 0.5)",
    ] = "relativistic"
    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 1024)] = 100
    width: Annotated[
        int, "channels at half the resolution; doubled with each further halving", Bounds(4, 256)
    ] = 32
    gamma: Annotated[float, "weight of R1 and R2 at the start", Bounds(0, 1000)] = 1.0
    gamma_final: Annotated[float, "their weight at the end", Bounds(0, 1000)] = 0.1
    penalty_share: Annotated[
        float, "share of a batch on which R1 and R2 are measured", Bounds(0.01, 1)
    ] = 0.25
    conditional: Annotated[bool, "condition on the class where the data has labels"] = True


class DCGAN(Model):
    """The generator G, the discriminator D and their game."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "temperature"})
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 2500,
        "lr": 2e-3,
        "beta1": 0.0,
        "clip_grad": 0.0,
    }
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        self.relativistic = config.loss == "relativistic"
        self.G = Generator(config, self.shape)
        self.D = Discriminator(config, self.shape)
        if not self.relativistic:
            self.apply(_published_init)

    def phases(self) -> Sequence[Phase]:
        return [
            Phase("D", self.D, self.discriminator_loss),
            Phase("G", self.G, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> Losses:
        with torch.no_grad():
            images = self._generate(batch)
        real, fake = self.D(batch.x, batch.y), self.D(images, batch.y)
        terms = {"real": real.mean(), "fake": fake.mean()}
        if not self.relativistic:
            return {"loss": self.game(real, fake), **terms}
        r1, r2 = self._penalties(batch, images)
        loss = self.game(real, fake) + self.gamma(batch.progress) / 2 * (r1 + r2)
        return {"loss": loss, **terms, "r1": r1, "r2": r2}

    def game(self, real: Tensor, fake: Tensor) -> Tensor:
        """What D minimises, of its logits [B] for real and generated pictures."""
        if self.relativistic:
            return F.softplus(fake - real).mean()  # Huang 2024, eq. 2, pairs of one class
        return F.softplus(-real).mean() + F.softplus(fake).mean()  # Goodfellow 2014, eq. 1

    def generator_loss(self, batch: Batch) -> Losses:
        fake = self.D(self._generate(batch), batch.y)
        if not self.relativistic:
            return {"loss": F.softplus(-fake).mean()}  # Goodfellow 2014, section 3
        with torch.no_grad():
            real = self.D(batch.x, batch.y)
        return {"loss": F.softplus(real - fake).mean()}

    def gamma(self, progress: float) -> float:
        """The weight of the penalties: half a cosine from ``gamma`` to ``gamma_final``."""
        share = (1 - math.cos(math.pi * progress)) / 2
        return self.config.gamma + (self.config.gamma_final - self.config.gamma) * share

    def _penalties(self, batch: Batch, images: Tensor) -> tuple[Tensor, Tensor]:
        """R1 and R2 on a part of the batch: an unbiased estimate at a fraction of the cost."""
        n = math.ceil(self.config.penalty_share * len(images))
        y = None if batch.y is None else batch.y[:n].repeat(2)
        both = torch.cat([batch.x[:n].float(), images[:n].float()])
        r1, r2 = squared_gradients(self.D, both, y).chunk(2)
        return r1.mean(), r2.mean()

    def validation(self, batch: Batch) -> Losses:
        """D's game on held-out pictures, and how often it tells which is which."""
        real, fake = self.D(batch.x, batch.y), self.D(self._generate(batch), batch.y)
        # Relativistic logits mean something only in comparison.
        border = (real.mean() + fake.mean()) / 2 if self.relativistic else 0.0
        return {
            "D/loss": self.game(real, fake),
            "D/real_accuracy": (real > border).float().mean(),
            "D/fake_accuracy": (fake < border).float().mean(),
        }

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        y = self.labels_of(request)
        z = torch.randn(request.count, self.config.latent, generator=generator, device=self.device)
        z = z * (1.0 if request.temperature is None else request.temperature)
        drawn = [self.G(z[part], None if y is None else y[part]) for part in chunks(len(z))]
        return Samples(torch.cat(drawn).float(), labels=[] if y is None else y.tolist())

    def _generate(self, batch: Batch) -> Tensor:
        return self.G(batch.randn(len(batch.x), self.config.latent), batch.y)


def squared_gradients(
    D: Callable[[Tensor, Tensor | None], Tensor], x: Tensor, y: Tensor | None
) -> Tensor:
    """|dD(x) / dx|² [B] (Mescheder 2018, eq. 9), in float32 and with a gradient of its own.

    D must treat every picture by itself: batch norm would mix their gradients.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad(), torch.autocast(x.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(D(x, y).sum(), x, create_graph=True)
    return gradient.square().sum((1, 2, 3))


class Generator(nn.Module):
    """Latents [B, latent] and classes [B] to images [B, C, H, W] in [-1, 1]."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, height, width = image_size(shape)
        depth, label = halvings(height, width), 32 if shape.num_classes else 0
        c = widths(config.width, depth)[::-1]
        norm = GroupNorm if config.loss == "relativistic" else nn.BatchNorm2d
        self.inner = (c[0], height >> depth, width >> depth)
        self.embed = nn.Embedding(shape.num_classes, label) if label else None
        self.project = nn.Linear(config.latent + label, math.prod(self.inner))
        layers: list[nn.Module] = [norm(c[0]), nn.ReLU()]
        for before, after in pairwise(c):
            layers += [_up(before, after), norm(after), nn.ReLU()]
        self.net = nn.Sequential(*layers, _up(c[-1], channels), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        if self.embed is not None:
            z = torch.cat([z, self.embed(y)], dim=1)
        return self.net(self.project(z).unflatten(1, self.inner))  # => [B, C, H, W]


class Discriminator(nn.Module):
    """Images [B, C, H, W] and classes [B] to logits [B]; greater means more real."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, height, width = image_size(shape)
        depth = halvings(height, width)
        c = [channels, *widths(config.width, depth)]
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(c)):
            norm = config.loss == "non_saturating" and level > 0
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1)]
            layers += [nn.BatchNorm2d(after)] if norm else []
            layers += [nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers, nn.Flatten())
        features = c[-1] * (height >> depth) * (width >> depth)
        self.last = nn.Linear(features, 1)
        self.embed = nn.Embedding(shape.num_classes, features) if shape.num_classes else None
        if self.embed is not None:
            nn.init.zeros_(self.embed.weight)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        h = self.net(x)  # => [B, features]
        logits = self.last(h)[:, 0]
        if self.embed is not None:
            logits = logits + (self.embed(y) * h).sum(1)  # projection, Miyato & Koyama 2018, eq. 3
        return logits.float()


def _up(before: int, after: int) -> nn.Module:
    return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)


def _published_init(module: nn.Module) -> None:
    """Radford 2015, section 4."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
