"""A GAN for text: convolutions write all characters of a window at once, and a critic reads them.

Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", section 5.4 (the networks); Jang, Gu
& Poole 2017, "Categorical Reparameterization with Gumbel-Softmax", and Kusner & Hernández-Lobato
2016, "GANS for Sequences of Discrete Elements with the Gumbel-softmax Distribution" (``gumbel``).

Characters are discrete, so that no gradient goes through them. With ``gumbel`` D reads characters
that were drawn, and G learns from the gradient of a softmax with noise in their place; its
temperature falls. With ``softmax`` D reads G's probabilities themselves, which no text has, so only
a loss that tolerates it will do: ``wasserstein``, as published.

Its limits: no likelihood can be computed, so there are no bits per character to compare with
language models, which are better at text by far; all windows have one length, and no prompt can be
continued; what is rare is dropped first; spelling is local. The divergence of its pairs and triples
of characters from those of the data says how good it is; ``Real`` is that of held-out text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from backends.asking import Usual
from backends.gan._augment import AugmentName
from backends.gan._game import BalanceConfig, Game, RulesConfig
from backends.gan._projection import Projection
from backends.knobs import Bounds, ConfigError, Only
from backends.metrics.ngrams import counts, jensen_shannon, places
from backends.model import Batch, DataShape, Losses, Phase, Samples, Vocabulary
from backends.nets.blocks import chunks
from backends.nets.walk import SPREAD, near
from backends.records import Modality, SampleRequest

LARGEST = 1024
"""Tokens of a vocabulary: D reads windows as planes, one a token."""

TEMPERATURE = 0.6
"""Of samples: their pairs and triples are nearest to the data about here, not at 0 or 1."""

RUNS = {"bigram": 2, "trigram": 3}


@dataclass(frozen=True, kw_only=True)
class Config(RulesConfig, BalanceConfig):
    """Knobs of the GAN for text. The length of a window is a knob of the data."""

    conditional: ClassVar[bool] = False
    augment: ClassVar[AugmentName] = "none"
    gamma_final: Annotated[
        float, "weight of R1 and R2 at the end", Bounds(0, 1000), Only("loss", "relativistic")
    ] = 0.3
    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 1024)] = 64
    width: Annotated[int, "channels of both networks; 512 as published", Bounds(4, 1024)] = 64
    blocks: Annotated[int, "residual blocks of each; 5 as published", Bounds(1, 16)] = 3
    writes: Annotated[
        Literal["gumbel", "softmax"], "characters drawn by Gumbel's noise, or probabilities"
    ] = "gumbel"
    temperature: Annotated[
        float, "of Gumbel's softmax at the start", Bounds(0.05, 10), Only("writes", "gumbel")
    ] = 1.0
    temperature_final: Annotated[
        float, "the same at the end", Bounds(0.05, 10), Only("writes", "gumbel")
    ] = 0.5
    n_critic: Annotated[int, "turns of D for one of G", Bounds(1, 100)] = 1


class TextGAN(Game):
    """The writer G and the reader D of windows of L = context + 1 tokens."""

    Config = Config
    one_pass = True
    modality: ClassVar[Modality] = "text"
    asks: ClassVar[frozenset[str]] = frozenset({"temperature", "around", "spread"})
    default_dataset: ClassVar[str] = "names"
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 1500,
        "lr": 2e-3,
        "beta1": 0.0,
        "clip_grad": 0.0,
        "sample_count": 8,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        if shape.vocabulary is None:
            raise ConfigError("this model learns from text, and the data has no vocabulary")
        self.vocabulary: Vocabulary = shape.vocabulary
        size, length = self.vocabulary.size, shape.size[0] + 1
        if size > LARGEST:
            raise ConfigError(
                f"this model takes vocabularies of up to {LARGEST} tokens, not {size}: learn from "
                "characters or bytes"
            )
        self.seat(Writer(config, size, length), Reader(config, size, length))
        for name, n in RUNS.items():  # counts of the data that training has seen
            self.register_buffer(name, torch.zeros(places(n, size)))

    # ------------------------------------------------------------------ one step

    def phases(self) -> Sequence[Phase]:
        reader, writer = super().phases()
        return [reader, replace(writer, every=self.config.n_critic)]

    def planes(self, batch: Batch) -> Batch:
        """The batch with ids [B, L] as planes [B, V, L], 1 where the token is."""
        x = F.one_hot(batch.x, self.vocabulary.size).transpose(1, 2).float()
        return replace(batch, x=x)

    def discriminator_loss(self, batch: Batch) -> Losses:
        self.count(batch.x)
        return super().discriminator_loss(self.planes(batch))

    @torch.no_grad()
    def count(self, ids: Tensor) -> None:
        """Adds the pairs and triples of the data to what is known of them."""
        for name, n in RUNS.items():
            self.get_buffer(name).add_(counts(ids, n, self.vocabulary.size))

    def generator_loss(self, batch: Batch) -> Losses:
        planes = self.planes(batch)
        logits = self.G(self.latents(len(batch.x), batch.generator))
        fake = real = self.D(self.written(logits, batch), None)
        if self.rules.needs_real:
            with torch.no_grad():
                real = self.D(planes.x, None)
        return {"loss": self.rules.G(real, fake), "entropy": entropy(logits.detach())}

    def generate(self, batch: Batch) -> Tensor:
        return self.written(self.G(self.latents(len(batch.x), batch.generator)), batch)

    def written(self, logits: Tensor, batch: Batch) -> Tensor:
        """Planes [B, V, L] of logits: probabilities, or a token drawn at each place.

        Drawn is argmax(logits + g), g Gumbel's noise (Jang 2017, eq. 1); the gradient is that of
        softmax((logits + g) / temperature) (eq. 2, straight-through of section 2.2).
        """
        if self.config.writes == "softmax":
            return logits.softmax(1)
        noisy = logits + gumbel(batch.rand(*logits.shape))
        soft = (noisy / self.temperature(batch.progress)).softmax(1)
        hard = F.one_hot(noisy.argmax(1), logits.shape[1]).transpose(1, 2).float()
        return hard + soft - soft.detach()

    def temperature(self, progress: float) -> float:
        """Falls by equal factors."""
        start, end = self.config.temperature, self.config.temperature_final
        return start * (end / start) ** progress

    # ------------------------------------------------------------------ looking at it

    def validation(self, batch: Batch) -> Losses:
        """The game on held-out text, and how far pairs and triples are from those of the data."""
        terms = dict(super().validation(self.planes(batch)))
        logits = self.G(self.latents(len(batch.x), batch.generator))
        terms["entropy"] = entropy(logits)
        ids, size = self.written(logits, batch).argmax(1), self.vocabulary.size
        for name, n in RUNS.items():
            known = self.get_buffer(name)
            terms[f"js_{name}"] = jensen_shannon(counts(ids, n, size), known)
            terms[f"Real/js_{name}"] = jensen_shannon(counts(batch.x, n, size), known)
        return terms

    def usual(self) -> Usual:
        return {
            "temperature": 0.0 if self.config.writes == "softmax" else TEMPERATURE,
            "spread": SPREAD,
        }

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Windows of text. At ``temperature`` 0 each character is the likeliest, the usual
        choice of ``softmax``, which learns no drawing; 1 draws as in training."""
        usual = self.usual()["temperature"]
        heat = usual if request.temperature is None else request.temperature
        z, texts = near(self.latents(request.count, generator), request, generator), list[str]()
        for part in chunks(len(z)):
            logits = self.G(z[part])
            u = torch.rand(logits.shape, generator=generator, device=self.device)
            ids = (logits + heat * gumbel(u)).argmax(1)  # [N, L]
            texts += [self.vocabulary.decode(line) for line in ids.tolist()]
        return Samples(texts=texts)


def gumbel(u: Tensor) -> Tensor:
    """Gumbel's noise of uniform numbers in [0, 1)."""
    return -torch.log(-torch.log(u.clamp(1e-7, 1 - 1e-7)))


def entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the characters' distributions [B, V, L], in nats; 0 is sure of all."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1).mean()


class Writer(nn.Module):
    """Latents [B, latent] to logits [B, V, L] in float32."""

    def __init__(self, config: Config, size: int, length: int) -> None:
        super().__init__()
        self.inner = (config.width, length)
        self.project = nn.Linear(config.latent, config.width * length)
        self.net = nn.Sequential(
            *[Block(config.width) for _ in range(config.blocks)], nn.Conv1d(config.width, size, 1)
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.net(self.project(z).unflatten(1, self.inner)).float()


class Reader(nn.Module):
    """Planes [B, V, L] to outputs [B]; greater means more real."""

    def __init__(self, config: Config, size: int, length: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(size, config.width, 1),
            *[Block(config.width) for _ in range(config.blocks)],
            nn.Flatten(),
        )
        self.head = Projection(config.width * length)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.head(self.net(x), None)


class Block(nn.Module):
    """x + 0.3 f(x), f two convolutions over five characters (Gulrajani 2017, published code)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 5, padding=2)
        self.conv2 = nn.Conv1d(width, width, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.3 * self.conv2(F.relu(self.conv1(F.relu(x))))
