"""Convolutional VAE: encodes pictures into a small Gaussian latent space and draws from it.

Kingma & Welling 2013, "Auto-Encoding Variational Bayes": maximises the evidence lower bound

    log p(x) >= E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))          (their eq. 3),

q(z|x) = N(mu, exp(logvar)), p(z) = N(0, 1). All terms are nats per image.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.knobs import Bounds
from backends.model import Batch, DataShape, Losses, Model, Samples
from backends.nets.blocks import GroupNorm, chunks, halvings, image_size, widths
from backends.records import Modality, SampleRequest


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the convolutional VAE."""

    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 512)] = 32
    width: Annotated[
        int, "channels at full resolution; doubled with each halving", Bounds(4, 256)
    ] = 16
    likelihood: Annotated[
        Literal["bernoulli", "logistic"],
        "p(x|z): bernoulli per pixel, or discretised logistic with a learned scale",
    ] = "bernoulli"
    beta: Annotated[float, "weight of the KL term; 1 is the bound itself", Bounds(0, 100)] = 1.0
    warmup: Annotated[
        float, "share of the training in which the KL's weight grows from 0", Bounds(0, 1)
    ] = 0.3
    conditional: Annotated[bool, "condition on the class where the data has labels"] = True


class ConvVAE(Model):
    """The encoder q(z|x, y), the decoder p(x|z, y) and their bound."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "temperature"})
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1000,
        "lr": 6e-3,
        "clip_grad": 0.0,
    }
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        channels, height, width = image_size(shape)
        depth, classes = halvings(height, width), self.shape.num_classes
        c = widths(config.width, depth + 1)
        self.inner = (c[-1], height >> depth, width >> depth)
        features, label = math.prod(self.inner), 16 if classes else 0
        self.embed = nn.Embedding(classes, label) if classes else None
        self.encoder = nn.Sequential(*_encoder(channels, c), nn.Flatten())
        self.posterior = nn.Linear(features + label, 2 * config.latent)
        self.prior = nn.Linear(config.latent + label, features)
        self.decoder = nn.Sequential(nn.Unflatten(1, self.inner), *_decoder(channels, c))
        scale = nn.Parameter(torch.full((channels, 1, 1), -2.0))
        self.log_scale = scale if config.likelihood == "logistic" else None

    def encode(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """mu and logvar [B, latent] of q(z|x, y); logvar within [-8, 4]."""
        mu, logvar = self.posterior(self._with(self.encoder(x), y)).float().chunk(2, dim=1)
        return mu, logvar.clamp(-8, 4)

    def decode(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Logits (bernoulli) or means (logistic) [B, C, H, W]."""
        return self.decoder(self.prior(self._with(z, y))).float()

    def loss(self, batch: Batch) -> Losses:
        """The negative bound and its parts in nats per image; active_units of ``latent``."""
        mu, logvar = self.encode(batch.x, batch.y)
        z = mu + (0.5 * logvar).exp() * batch.randn(*mu.shape)  # section 2.4
        out = self.decode(z, batch.y)
        reconstruction = -self.log_likelihood(batch.x, out).sum((1, 2, 3)).mean()
        kl = kl_to_prior(mu, logvar).mean()
        active = (mu.var(0, correction=0) > 0.01).sum()  # Burda 2016, section 5
        terms = {"reconstruction": reconstruction, "kl": kl, "active_units": active.float()}
        if self.log_scale is not None:
            terms["bits_per_dim"] = (reconstruction + kl) / (math.log(2) * batch.x[0].numel())
        return {"loss": reconstruction + self.beta(batch.progress) * kl, **terms}

    def validation(self, batch: Batch) -> Losses:
        """The bound with the full weight of the KL, whenever it is asked."""
        return self.loss(replace(batch, progress=1.0))

    def beta(self, progress: float) -> float:
        """The weight of the KL term after that share of the training."""
        warmup = self.config.warmup
        return self.config.beta * (min(1.0, progress / warmup) if warmup else 1.0)

    def log_likelihood(self, x: Tensor, out: Tensor) -> Tensor:
        """log p(x|z) of every pixel, like ``x``."""
        if self.log_scale is not None:
            return discretised_logistic(x, out, self.log_scale)
        return -F.binary_cross_entropy_with_logits(out, (x + 1) / 2, reduction="none")

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        y = self.labels_of(request)
        size = (request.count, self.config.latent)
        z = torch.randn(*size, generator=generator, device=self.device)
        z = z * (1.0 if request.temperature is None else request.temperature)
        drawn = [self.decode(z[part], None if y is None else y[part]) for part in chunks(len(z))]
        out = torch.cat(drawn)
        images = 2 * out.sigmoid() - 1 if self.log_scale is None else out
        return Samples(images.clamp(-1, 1), labels=[] if y is None else y.tolist())

    def _with(self, h: Tensor, y: Tensor | None) -> Tensor:
        return h if self.embed is None else torch.cat([h, self.embed(y)], dim=1)


def kl_to_prior(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)) [B], appendix B."""
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)


def discretised_logistic(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P(x) for x on the 256 levels of [-1, 1] (Salimans 2017, eq. 2).

    The logistic's mass in x's bin; the outermost bins reach to infinity. With a > b the bin's ends,
    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), which never cancels.
    """
    scale = log_scale.exp()
    a, b = (x - mean + 1 / 255) / scale, (x - mean - 1 / 255) / scale
    inside = torch.log(-torch.expm1(b - a))
    left = torch.where(x < -0.999, 0.0, F.logsigmoid(-b))
    right = torch.where(x > 0.999, 0.0, F.logsigmoid(a))
    return left + right + torch.where(x.abs() > 0.999, 0.0, inside)


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
