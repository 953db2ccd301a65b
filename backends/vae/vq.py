"""Quantised VAE: says a picture in a few codes, and learns which codes follow on which.

Van den Oord et al. 2017, "Neural Discrete Representation Learning", with its codebook of running
means; or Mentzer et al. 2023, "Finite Scalar Quantization: VQ-VAE Made Simple", without one. A
causal Transformer over the codes, trained along, is the prior. With codes c = c(x)

    -log p(x) <= -log p(x|c) - log p(c)

is exact in its terms: nothing is sampled. All terms of the autoencoder are nats per image.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from backends.asking import Usual
from backends.knob import LABELS
from backends.knobs import Bounds, ConfigError, Only
from backends.model import Batch, DataShape, Losses, Model, Phase, Samples
from backends.nets.blocks import GroupNorm, ResBlock, chunks, image_size, widths
from backends.nets.drawing import draw
from backends.nets.logistic import discretised_logistic
from backends.nets.quantize import FSQ, Codebook, Quantised, perplexity
from backends.records import Modality, SampleRequest
from backends.vae._code_prior import CodePrior
from backends.watching import is_watched, observer, telling


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of the quantised VAE."""

    quantizer: Annotated[
        Literal["fsq", "ema"], "codes are the cells of a grid, or a codebook of running means"
    ] = "fsq"
    levels: Annotated[
        Literal["8-6-5", "8-5-5-5", "7-5-5-5-5"],
        "levels of each channel: 240, 1,000, 4,375 (fsq)",
        Only("quantizer", "fsq"),
    ] = "8-6-5"
    codes: Annotated[
        int, "codes of the codebook (ema)", Bounds(2, 65536), Only("quantizer", "ema")
    ] = 256
    code_width: Annotated[
        int, "channels of a code (ema)", Bounds(2, 256), Only("quantizer", "ema")
    ] = 16
    distance: Annotated[
        Literal["cosine", "euclidean"],
        "how outputs and codes are compared (ema)",
        Only("quantizer", "ema"),
    ] = "cosine"
    decay: Annotated[
        float, "decay of the running means (ema)", Bounds(0, 0.9999), Only("quantizer", "ema")
    ] = 0.99
    restart: Annotated[
        float,
        "share of the mean use below which a code begins anew (ema)",
        Bounds(0, 1),
        Only("quantizer", "ema"),
    ] = 0.1
    commitment: Annotated[
        float,
        "weight of the outputs' distance from their codes (ema)",
        Bounds(0, 100),
        Only("quantizer", "ema"),
    ] = 0.25
    likelihood: Annotated[
        Literal["logistic", "mse"], "discretised logistic with a learned scale, or squared error"
    ] = "logistic"
    halvings: Annotated[int, "how often the sides are halved to codes", Bounds(1, 5)] = 2
    width: Annotated[int, "channels after one halving; doubled with each", Bounds(4, 512)] = 32
    prior_layers: Annotated[int, "Transformer blocks of the prior", Bounds(1, 64)] = 3
    prior_heads: Annotated[int, "attention heads of the prior", Bounds(1, 64)] = 4
    prior_width: Annotated[int, "channels of the prior", Bounds(8, 4096)] = 96
    dropout: Annotated[float, "dropout in the prior", Bounds(0, 0.9)] = 0.1
    conditional: Annotated[bool, "condition on the class of the data", Only(LABELS)] = True

    def __post_init__(self) -> None:
        if self.prior_width % (2 * self.prior_heads):
            raise ConfigError(
                f"prior_width {self.prior_width} must be an even multiple of prior_heads "
                f"{self.prior_heads}"
            )


class VQVAE(Model):
    """Autoencoder and prior, each with a turn of its own."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "temperature", "top_k", "top_p"})
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1000,
        "batch_size": 32,
        "lr": 3e-3,
        "optimizer": "muon",
    }
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        self.autoencoder = Autoencoder(config, shape)
        self.prior = CodePrior(
            self.autoencoder.quantizer.digits(),
            self.autoencoder.sides,
            self.shape.num_classes,
            layers=config.prior_layers,
            heads=config.prior_heads,
            width=config.prior_width,
            dropout=config.dropout,
        )

    def phases(self) -> Sequence[Phase]:
        quantizer = self.autoencoder.quantizer
        update = quantizer.update if isinstance(quantizer, Codebook) else None
        return [
            Phase("", self.autoencoder, self.autoencoder_loss, after=update),
            Phase("prior", self.prior, self.prior_loss),
        ]

    def autoencoder_loss(self, batch: Batch) -> Losses:
        """How badly pictures come back from their codes, and how many codes they use."""
        found = self.autoencoder.encode(batch.x, batch.generator if self.training else None)
        reconstruction = self.autoencoder.nats(batch.x, found.z).mean()
        used, dead = perplexity(found.codes, self.autoencoder.quantizer.size)
        terms = {"reconstruction": reconstruction, "perplexity": used, "dead_codes": dead}
        if self.config.quantizer == "fsq":
            return {"loss": reconstruction, **terms}
        commitment = found.commitment.mean()
        loss = reconstruction + self.config.commitment * commitment  # eq. 3
        return {"loss": loss, **terms, "commitment": commitment}

    def prior_loss(self, batch: Batch) -> Losses:
        """-log p(codes) in nats a code; the autoencoder learns nothing from it."""
        with torch.no_grad():
            codes = self.autoencoder.encode(batch.x).codes
        return {"loss": self.prior.loss(codes, self._classes(batch))}

    def validation(self, batch: Batch) -> Losses:
        """Both turns on held-out pictures, and the bound on their bits a dimension."""
        terms, prior = self.autoencoder_loss(batch), self.prior_loss(batch)["loss"]
        found = {**terms, "prior/loss": prior}
        if self.config.likelihood == "logistic":
            nats = terms["reconstruction"] + prior * math.prod(self.autoencoder.sides)
            found["bits_per_dim"] = nats / (math.log(2) * batch.x[0].numel())
        return found

    def usual(self) -> Usual:
        return {"temperature": 1.0}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        y = self.labels_of(request)
        choose = partial(
            draw,
            temperature=1.0 if request.temperature is None else request.temperature,
            top_k=request.top_k,
            top_p=request.top_p,
            generator=generator,
        )
        drawn, tokens = [], math.prod(self.autoencoder.sides)
        for part in chunks(request.count):
            number = len(range(request.count)[part])
            # Token by token, casting the weights to a shorter type costs more than it saves.
            with torch.autocast(self.device.type, enabled=False):
                codes = self.prior.draw(
                    number,
                    None if y is None else y[part],
                    telling(choose, first=part.start, count=request.count, tokens=tokens),
                    partial(self._show, part.start),
                )
            drawn.append(self.autoencoder.paint(codes).clamp(-1, 1))
        return Samples(torch.cat(drawn), labels=[] if y is None else y.tolist())

    def _show(self, first: int, codes: Tensor) -> None:
        """Shows whoever watches what has been drawn."""
        if is_watched():
            observer().pictured(first, self.autoencoder.paint(codes))

    def _classes(self, batch: Batch) -> Tensor | None:
        return batch.y if self.shape.num_classes else None


class Autoencoder(nn.Module):
    """Pictures to codes and back."""

    def __init__(self, config: Config, shape: DataShape) -> None:
        super().__init__()
        channels, height, width = image_size(shape, max(4, 2**config.halvings))
        self.sides = (height >> config.halvings, width >> config.halvings)
        self.quantizer = _quantizer(config)
        c = widths(config.width, config.halvings)
        self.encoder = nn.Sequential(*_encoder(channels, c, self.quantizer.dim))
        self.decoder = nn.Sequential(*_decoder(channels, c, self.quantizer.dim))
        scale = nn.Parameter(torch.full((channels, 1, 1), -2.0))
        self.log_scale = scale if config.likelihood == "logistic" else None

    def encode(self, x: Tensor, generator: torch.Generator | None = None) -> Quantised:
        """The codes of pictures [B, C, H, W]; a codebook counts them if there is a generator."""
        h = self.encoder(x)
        return self.quantizer(h, generator) if isinstance(self.quantizer, Codebook) else (
            self.quantizer(h)
        )  # fmt: skip

    def nats(self, x: Tensor, z: Tensor) -> Tensor:
        """-log p(x|z) of each picture, or its squared error: [B]."""
        out = self.decoder(z).float()
        if self.log_scale is None:
            return (x - out).square().sum((1, 2, 3))
        return -discretised_logistic(x, out, self.log_scale).sum((1, 2, 3))

    def paint(self, codes: Tensor) -> Tensor:
        """Codes to pictures [B, C, H, W]."""
        return self.decoder(self.quantizer.embed(codes)).float()


def _quantizer(config: Config) -> FSQ | Codebook:
    if config.quantizer == "fsq":
        return FSQ([int(n) for n in config.levels.split("-")])
    return Codebook(
        config.codes,
        config.code_width,
        decay=config.decay,
        restart=config.restart,
        cosine=config.distance == "cosine",
    )


def _encoder(channels: int, c: list[int], dim: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in zip([channels, *c[:-1]], c, strict=True):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), ResBlock(after, after)]
    return [*layers, GroupNorm(c[-1]), nn.SiLU(), nn.Conv2d(c[-1], dim, 1)]


def _decoder(channels: int, c: list[int], dim: int) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(dim, c[-1], 3, padding=1)]
    outer = max(4, c[0] // 2)
    for before, after in zip(c[::-1], [*c[-2::-1], outer], strict=True):
        layers += [ResBlock(before, before), GroupNorm(before), nn.SiLU()]
        layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
    return [*layers, GroupNorm(outer), nn.SiLU(), nn.Conv2d(outer, channels, 3, padding=1)]
