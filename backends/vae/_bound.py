"""The evidence lower bound, which VAEs maximise, and how their decoders are drawn from.

Kingma & Welling 2013, "Auto-Encoding Variational Bayes":

    log p(x) >= E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))          (their eq. 3),

q(z|x) = N(mu, exp(logvar)), p(z) = N(0, 1). All terms are nats per image.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.asking import Usual
from backends.knob import LABELS
from backends.knobs import Bounds, Only
from backends.model import Batch, DataShape, Losses, Model, Samples
from backends.nets.blocks import chunks
from backends.nets.logistic import discretised_logistic
from backends.nets.walk import SPREAD, arc, near, walks
from backends.records import Modality, SampleRequest
from backends.vae._prior import Memory

LABEL = 16
"""Channels that a class is embedded in."""


@dataclass(frozen=True, kw_only=True)
class BoundConfig:
    """Knobs of the bound and of the prior."""

    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 512)] = 32
    likelihood: Annotated[
        Literal["bernoulli", "logistic"],
        "p(x|z): bernoulli per pixel, or discretised logistic with a learned scale",
    ] = "bernoulli"
    beta: Annotated[float, "weight of the KL term; 1 is the bound itself", Bounds(0, 100)] = 1.0
    warmup: Annotated[
        float,
        "share of the training in which the KL's weight grows from 0",
        Bounds(0, 1),
        Only("beta"),
    ] = 0.3
    free_bits: Annotated[
        float, "nats a latent dimension that the KL does not charge for", Bounds(0, 10)
    ] = 0.0
    prior: Annotated[
        Literal["mixture", "normal"],
        "samples come from: a mixture fitted to the latents of the training, or N(0, 1)",
    ] = "mixture"
    components: Annotated[
        int,
        "Gaussians of the mixture (of one class, where there are classes)",
        Bounds(1, 256),
        Only("prior", "mixture"),
    ] = 20
    conditional: Annotated[bool, "condition on the class of the data", Only(LABELS)] = True


class VAE(Model):
    """The posterior q(z|x, y), the likelihood p(x|z, y) and their bound.

    A subclass sets ``Config`` (a BoundConfig) and defines :meth:`encode` and :meth:`decode`.
    """

    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset(
        {"labels", "temperature", "interpolate", "around", "spread"}
    )
    default_dataset: ClassVar[str] = "fashion-mini"
    fitted: ClassVar[str] = "negative_elbo"  # the loss of a warm-up has another weight of the KL

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        classes = self.shape.num_classes
        self.embed = nn.Embedding(classes, LABEL) if classes else None
        scale = nn.Parameter(torch.full((shape.size[0], 1, 1), -2.0))
        self.log_scale = scale if config.likelihood == "logistic" else None
        self.memory = Memory(config.latent) if config.prior == "mixture" else None

    @property
    def label(self) -> int:
        """Channels that :meth:`labelled` adds."""
        return 0 if self.embed is None else LABEL

    # ------------------------------------------------------------------ what a subclass defines

    @abstractmethod
    def encode(self, x: Tensor, y: Tensor | None) -> Tensor:
        """mu and logvar [B, 2 latent] of q(z|x, y), one after the other."""

    @abstractmethod
    def decode(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Logits (bernoulli) or means (logistic) [B, C, H, W]."""

    def labelled(self, h: Tensor, y: Tensor | None) -> Tensor:
        """``h`` [B, C] with the embedded classes beside it, where there are classes."""
        return h if self.embed is None else torch.cat([h, self.embed(y)], dim=1)

    # ------------------------------------------------------------------ the bound

    def posterior(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """mu and logvar [B, latent] of q(z|x, y); logvar within [-8, 4]."""
        mu, logvar = self.encode(x, y).float().chunk(2, dim=1)
        return mu, logvar.clamp(-8, 4)

    def loss(self, batch: Batch) -> Losses:
        """The negative bound and its parts in nats per image; active_units of ``latent``."""
        mu, logvar = self.posterior(batch.x, batch.y)
        z = mu + (0.5 * logvar).exp() * batch.randn(*mu.shape)  # section 2.4
        if self.training and self.memory is not None:
            self.memory.add(mu, batch.y)
        out = self.decode(z, batch.y).float()
        reconstruction = -self.log_likelihood(batch.x, out).sum((1, 2, 3)).mean()
        per_unit = kl_of_units(mu, logvar).mean(0)  # [latent]
        kl = per_unit.sum()
        active = (mu.var(0, correction=0) > 0.01).sum()  # Burda 2016, section 5
        terms = {"reconstruction": reconstruction, "kl": kl, "active_units": active.float()}
        terms["negative_elbo"] = reconstruction + kl
        if self.log_scale is not None:
            terms["bits_per_dim"] = (reconstruction + kl) / (math.log(2) * batch.x[0].numel())
        charged = per_unit.clamp(min=self.config.free_bits).sum()  # Kingma 2016, eq. 15
        return {"loss": reconstruction + self.beta(batch.progress) * charged, **terms}

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

    # ------------------------------------------------------------------ drawing

    def usual(self) -> Usual:
        return {"temperature": 1.0, "spread": SPREAD}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Means of p(x|z) at latents of the prior, or with ``interpolate`` one walk a class."""
        y = self.labels_of(request)
        if request.interpolate:
            walk = walks(request, self.shape.num_classes, self.device)
            y = walk.labels
            begin = self._latents(y, request, generator, alike=True)
            z = arc(begin, self._latents(y, request, generator, alike=True), walk.places)
        else:
            z = self._latents(y, request, generator)
        drawn = [self.decode(z[part], None if y is None else y[part]) for part in chunks(len(z))]
        out = torch.cat(drawn).float()
        images = 2 * out.sigmoid() - 1 if self.log_scale is None else out
        return Samples(images.clamp(-1, 1), labels=[] if y is None else y.tolist())

    def _latents(
        self,
        y: Tensor | None,
        request: SampleRequest,
        generator: torch.Generator,
        alike: bool = False,
    ) -> Tensor:
        """Draws of the prior [count, latent]; ``alike``: of every class the same one."""
        count = 1 if alike else request.count
        noise = torch.randn(count, self.config.latent, generator=generator, device=self.device)
        heat = 1.0 if request.temperature is None else request.temperature
        if self.memory is None:
            return heat * near(noise, request, generator).expand(request.count, -1)
        u = torch.rand(count, generator=generator, device=self.device)
        if request.around is not None:
            u = u[request.around]  # of the same component
        noise = heat * near(noise, request, generator)
        u, noise = u.expand(request.count), noise.expand(request.count, -1)
        return self.memory.transform(u, noise, y, self.config.components)


def kl_of_units(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)) of each latent dimension, like ``mu`` (appendix B)."""
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
