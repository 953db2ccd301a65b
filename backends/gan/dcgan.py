"""DCGAN: a generator and a discriminator of strided convolutions play against each other.

Radford, Metz & Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks". Two games can be played:

``relativistic`` (the default) is RpGAN + R1 + R2 of Huang 2024, "The GAN is dead; long live the
GAN!": D sees real and generated pictures in pairs, D(x) - D(G(z)), and is kept smooth around both
by penalties on its gradient. ``non_saturating`` is Goodfellow 2014 with batch norm as published.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

    game: Annotated[
        Literal["relativistic", "non_saturating"],
        "what the players minimise: relativistic with R1 and R2, or non_saturating as published",
    ] = "relativistic"
    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 1024)] = 100
    width: Annotated[int, "channels of the finest layers; doubled with each halving", Bounds(4, 256)] = 64
    gamma: Annotated[float, "weight of the penalties R1 and R2 at the start", Bounds(0, 1000)] = 1.0
    gamma_final: Annotated[float, "their weight at the end", Bounds(0, 1000)] = 0.1
    conditional: Annotated[bool, "condition on the class where the data has labels"] = True
    norm: Literal["none", "group", "batch"] = "group"
    proj: Literal["flat", "pool"] = "flat"
    init: Literal["dcgan", "he"] = "he"
    share: float = 0.25


class DCGAN(Model):
    """The generator G, the discriminator D and their game."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "temperature"})
    recipe: ClassVar[Mapping[str, Any]] = {"lr": 5e-4, "beta1": 0.0, "steps": 3000, "clip_grad": 0}
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        image_size(shape)
        self.config: Config = config
        self.G = Generator(config, self.shape)
        self.D = Discriminator(config, self.shape)

    def phases(self) -> Sequence[Phase]:
        return [Phase("D", self.D, self.loss_D), Phase("G", self.G, self.loss_G)]

    def loss_D(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self._generate(batch)
        if self.config.game == "relativistic":
            return self._relativistic_D(batch, fake)
        real, fake = self.D(batch.x, batch.y), self.D(fake, batch.y)
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        return {"loss": loss, "real": real.mean(), "fake": fake.mean()}

    def _relativistic_D(self, batch: Batch, fake: Tensor) -> Losses:
        real, fake_l = self.D(batch.x, batch.y), self.D(fake, batch.y)
        n = max(1, round(len(fake) * self.config.share))
        y = None if batch.y is None else batch.y[:n].repeat(2)
        r1, r2 = penalties(self.D, torch.cat([batch.x[:n], fake[:n]]), y).chunk(2)
        t = (1 - math.cos(math.pi * batch.progress)) / 2
        gamma = self.config.gamma + (self.config.gamma_final - self.config.gamma) * t
        loss = F.softplus(fake_l - real).mean() + gamma / 2 * (r1.mean() + r2.mean())
        return {"loss": loss, "real": real.mean(), "fake": fake_l.mean(), "r1": r1.mean(), "r2": r2.mean()}

    def loss_G(self, batch: Batch) -> Losses:
        fake = self.D(self._generate(batch), batch.y)
        if self.config.game == "non_saturating":
            return {"loss": F.softplus(-fake).mean()}
        with torch.no_grad():
            real = self.D(batch.x, batch.y)
        return {"loss": F.softplus(real - fake).mean()}

    def validation(self, batch: Batch) -> Losses:
        real, fake = self.D(batch.x, batch.y), self.D(self._generate(batch), batch.y)
        return {"D/loss": F.softplus(fake - real).mean(), "D/acc": (real > fake).float().mean()}

    def _generate(self, batch: Batch) -> Tensor:
        return self.G(batch.randn(len(batch.x), self.config.latent), batch.y)

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        y = self.labels_of(request)
        z = torch.randn(request.count, self.config.latent, generator=generator, device=self.device)
        z = z * (1.0 if request.temperature is None else request.temperature)
        drawn = [self.G(z[part], None if y is None else y[part]) for part in chunks(len(z))]
        return Samples(torch.cat(drawn).float(), labels=[] if y is None else y.tolist())


def penalties(D, x: Tensor, y) -> Tensor:
    x = x.detach().float().requires_grad_()
    with torch.autocast(x.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(D(x, y).sum(), x, create_graph=True)
    return gradient.square().sum((1, 2, 3))


def normf(kind, c):
    return {"none": nn.Identity, "group": GroupNorm, "batch": nn.BatchNorm2d}[kind](*([c] if kind != "none" else []))


class Generator(nn.Module):
    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, height, width = image_size(shape)
        depth = halvings(height, width)
        c = widths(config.width, depth)[::-1]
        self.embed = nn.Embedding(shape.num_classes, 32) if shape.num_classes else None
        self.first = nn.Linear(config.latent + (32 if self.embed else 0), c[0] * (height >> depth) * (width >> depth))
        self.inner = (c[0], height >> depth, width >> depth)
        kind = "batch" if config.game == "non_saturating" else config.norm
        layers: list[nn.Module] = [normf(kind, c[0]), nn.ReLU()]
        for a, b in zip(c[:-1], c[1:], strict=True):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), normf(kind, b), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.ConvTranspose2d(c[-1], channels, 4, 2, 1), nn.Tanh())
        init(self, config.init)

    def forward(self, z, y):
        if self.embed is not None:
            z = torch.cat([z, self.embed(y)], 1)
        return self.net(self.first(z).unflatten(1, self.inner))


class Discriminator(nn.Module):
    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, height, width = image_size(shape)
        depth = halvings(height, width)
        c = widths(config.width, depth)
        kind = "batch" if config.game == "non_saturating" else "none"
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(zip([channels, *c[:-1]], c, strict=True)):
            layers += [nn.Conv2d(a, b, 4, 2, 1), normf(kind if i else "none", b), nn.LeakyReLU(0.2)]
        self.net = nn.Sequential(*layers)
        n = c[-1] * (height >> depth) * (width >> depth)
        self.proj = config.proj
        self.last = nn.Linear(n, 1)
        self.embed = nn.Embedding(shape.num_classes, n if config.proj == "flat" else c[-1]) if shape.num_classes else None
        init(self, config.init)
        if self.embed is not None: nn.init.zeros_(self.embed.weight)

    def forward(self, x, y):
        h = self.net(x)
        out = self.last(h.flatten(1))[:, 0]
        if self.embed is not None:
            f = h.flatten(1) if self.proj == "flat" else h.sum((2, 3))
            out = out + (self.embed(y) * f).sum(1)
        return out.float()


def init(net, kind):
    if kind == "he":
        return
    for m in net.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(m.weight, 0, 0.02); nn.init.zeros_(m.bias)
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1, 0.02)
