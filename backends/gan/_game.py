"""The game of a generator G and a discriminator D, and the knobs that all image GANs share.

A model of the family builds its two networks, ``G(z, y) -> images`` and ``D(x, y) -> outputs [B]``,
and hands them to :meth:`Game.seat`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from backends.asking import Usual
from backends.gan._augment import AdaptiveAugment, AugmentName, DiffAugment
from backends.gan._losses import RECIPES, RULES, LossName
from backends.gan._penalties import (
    iterate_spectral_norms,
    normalise_spectrally,
    squared_gradients,
    unit_gradients,
)
from backends.knob import LABELS
from backends.knobs import Bounds, Only
from backends.model import Batch, DataShape, Losses, Model, Phase, Samples
from backends.nets.blocks import chunks
from backends.nets.walk import SPREAD, near
from backends.records import Modality, SampleRequest

COMPARED = 64
"""Pictures whose diversity is measured."""


@dataclass(frozen=True, kw_only=True)
class LatentConfig:
    """Knobs of what G draws from."""

    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 1024)] = 64
    conditional: Annotated[bool, "condition on the class of the data", Only(LABELS)] = True


@dataclass(frozen=True, kw_only=True)
class SightConfig:
    """Knobs of how D sees pictures."""

    augment: Annotated[
        AugmentName, "of all that D sees: diffaugment, or ada, which adapts its strength"
    ] = "none"
    ada_target: Annotated[
        float, "share of real pictures D may be sure of (ada)", Bounds(0, 1), Only("augment", "ada")
    ] = 0.6
    ada_kimg: Annotated[
        float,
        "thousand pictures in which ada can go from 0 to 1",
        Bounds(0.1, 1e5),
        Only("augment", "ada"),
    ] = 100.0


@dataclass(frozen=True, kw_only=True)
class BalanceConfig:
    """Knobs of how strong D may be."""

    spectral_norm: Annotated[bool, "bound D's slope by that of its matrices"] = False
    ttur: Annotated[float, "D's learning rate over that of G", Bounds(0.01, 100)] = 1.0


@dataclass(frozen=True, kw_only=True)
class PlayersConfig(BalanceConfig, SightConfig, LatentConfig):
    """Knobs of the two players, whatever they play."""


@dataclass(frozen=True, kw_only=True)
class RulesConfig:
    """Knobs of the game."""

    loss: Annotated[
        LossName,
        "relativistic with R1 and R2; wasserstein with gradient penalty; or as first published",
    ] = "relativistic"
    gamma: Annotated[
        float, "weight of R1 and R2 at the start", Bounds(0, 1000), Only("loss", "relativistic")
    ] = 1.0
    gamma_final: Annotated[
        float, "their weight at the end", Bounds(0, 1000), Only("loss", "relativistic")
    ] = 0.1
    penalty: Annotated[
        float,
        "weight of wasserstein's gradient penalty",
        Bounds(0, 1000),
        Only("loss", "wasserstein"),
    ] = 10.0
    penalty_share: Annotated[
        float,
        "share of a batch on which penalties are measured",
        Bounds(0.01, 1),
        Only("loss", "relativistic", "wasserstein"),
    ] = 0.25


@dataclass(frozen=True, kw_only=True)
class GameConfig(RulesConfig, PlayersConfig):
    """Knobs of the two players and of their game."""


class Game(Model):
    """Two networks that play against each other; models of the family derive from it.

    Config needs PlayersConfig's knobs; one that does not apply is a ClassVar there. ``loss``,
    ``gamma``, ``gamma_final``, ``penalty`` and ``penalty_share`` are read where Config has them; a
    model whose game is fixed gives :meth:`rule` and the penalties its own way. ``one_pass`` is for
    a D that treats every picture by itself: real and generated ones go through it together, which
    is faster.
    """

    G: nn.Module
    D: nn.Module
    one_pass: bool = False
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset(
        {"labels", "temperature", "interpolate", "around", "spread"}
    )
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        self.game: LossName = self.rule(config)
        self.rules = RULES[self.game]
        self.augment: AdaptiveAugment | DiffAugment | None = _augmentation(config)

    @classmethod
    def rule(cls, config: Any) -> LossName:
        """The game that is played."""
        return config.loss

    @classmethod
    def recipe_for(cls, config: Any) -> Mapping[str, Any]:
        """The model's recipe is that of its default game; other games go as published."""
        return {**cls.recipe, **RECIPES[cls.rule(config)]}

    def seat(self, G: nn.Module, D: nn.Module) -> None:
        """Takes the two networks."""
        self.G, self.D = G, D
        if self.config.spectral_norm:
            normalise_spectrally(D)

    # ------------------------------------------------------------------ one step

    def phases(self) -> Sequence[Phase]:
        return [
            Phase("D", self.D, self.discriminator_loss, lr=self.config.ttur, after=self.after_d),
            Phase("G", self.G, self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> Losses:
        with torch.no_grad():
            images = self.generate(batch)
        x, images = self.seen(batch.x, batch), self.seen(images, batch)
        real, fake = self.judge(x, images, batch.y)
        loss, terms = self.rules.D(real, fake), self.health(real.detach(), fake.detach(), batch)
        for weight, penalties in self.penalties(x, images, batch):
            loss = loss + weight * torch.stack(list(penalties.values())).sum()
            terms |= {name: value.detach() for name, value in penalties.items()}
        return {"loss": loss, **terms}

    def generator_loss(self, batch: Batch) -> Losses:
        fake = self.D(self.seen(self.generate(batch), batch), batch.y)
        real = fake
        if self.rules.needs_real:
            with torch.no_grad():
                real = self.D(self.seen(batch.x, batch), batch.y)
        return {"loss": self.rules.G(real, fake)}

    def after_d(self) -> None:
        """What moves once a turn of D, when its weights have moved."""
        if self.config.spectral_norm:
            iterate_spectral_norms(self.D)
        if isinstance(self.augment, AdaptiveAugment):
            self.augment.adapt()

    def generate(self, batch: Batch) -> Tensor:
        """One picture [B, C, H, W] of the class of each item."""
        return self.G(self.latents(len(batch.x), batch.generator), batch.y)

    def latents(self, count: int, generator: torch.Generator) -> Tensor:
        """z [count, latent]."""
        return torch.randn(count, self.config.latent, generator=generator, device=self.device)

    def judge(self, x: Tensor, images: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """D's outputs [B] for real and for generated pictures."""
        if not self.one_pass:
            return self.D(x, y), self.D(images, y)
        both = torch.cat([x.float(), images.float()])
        real, fake = self.D(both, None if y is None else y.repeat(2)).chunk(2)
        return real, fake

    def between(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        """Latents [N, latent] at ``t`` [N] of the way from a to b, both [1, latent]."""
        return walk(a, b, t)

    def seen(self, x: Tensor, batch: Batch) -> Tensor:
        """What D sees of pictures."""
        return x if self.augment is None else self.augment(x, batch)

    def penalties(
        self, x: Tensor, images: Tensor, batch: Batch
    ) -> Sequence[tuple[float, dict[str, Tensor]]]:
        """Weights and what they weigh. Penalties are taken on a part of the batch: an unbiased
        estimate at a fraction of the cost; and on and by what D sees: it is to be smooth there."""
        if self.game not in ("relativistic", "wasserstein"):
            return []
        n = math.ceil(self.config.penalty_share * len(x))
        x, images, y = x[:n], images[:n], None if batch.y is None else batch.y[:n]
        if self.game == "wasserstein":
            values = unit_gradients(self.D, x, images, y, batch.rand(n))
            return [(self.config.penalty, {"penalty": values.mean()})]
        both = torch.cat([x.float(), images.float()])
        r1, r2 = squared_gradients(self.D, both, None if y is None else y.repeat(2)).chunk(2)
        return [(self.gamma(batch.progress) / 2, {"r1": r1.mean(), "r2": r2.mean()})]

    def gamma(self, progress: float) -> float:
        """The weight of R1 and R2: half a cosine from ``gamma`` to ``gamma_final`` (Huang 2024)."""
        share = (1 - math.cos(math.pi * progress)) / 2
        return self.config.gamma + (self.config.gamma_final - self.config.gamma) * share

    def health(self, real: Tensor, fake: Tensor, batch: Batch) -> dict[str, Tensor]:
        """D's outputs, how often it is right, and r_t, which nears 1 when D learns by heart."""
        sign = self.rules.sign(real, fake)
        terms = {"real": real.mean(), "fake": fake.mean(), "sign": sign}
        terms["accuracy"] = torch.stack(self.rules.accuracies(real, fake)).mean()
        if self.game == "wasserstein":
            terms["wasserstein"] = terms["real"] - terms["fake"]
        if isinstance(self.augment, AdaptiveAugment):
            self.augment.note(sign, len(real))
            terms["augment_p"] = self.augment.p.clone()
        return terms

    # ------------------------------------------------------------------ looking at it

    def validation(self, batch: Batch) -> Losses:
        """D's game on held-out pictures, how often it is right, and how much pictures differ."""
        images = self.generate(batch)
        real, fake = self.D(batch.x, batch.y), self.D(images, batch.y)
        on_real, on_fake = self.rules.accuracies(real, fake)
        return {
            "D/loss": self.rules.D(real, fake),
            "D/real_accuracy": on_real,
            "D/fake_accuracy": on_fake,
            "diversity": diversity(images[:COMPARED], batch.x[:COMPARED]),
        }

    def usual(self) -> Usual:
        return {"temperature": 1.0, "spread": SPREAD}

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        """Latents at random or near one of them, or with ``interpolate`` one walk a class."""
        z, y = self.latents(request.count, generator), self.labels_of(request)
        if request.interpolate:
            y = None if y is None else self._class_after_class(request)
            z = self.between(z[:1], self.latents(1, generator), self._places(request))
        z = near(z, request, generator) * (
            1.0 if request.temperature is None else request.temperature
        )
        drawn = [
            self.paint(z[part], None if y is None else y[part], request, generator)
            for part in chunks(len(z))
        ]
        images = torch.cat(drawn).float().clamp(-1, 1)
        return Samples(images, labels=[] if y is None else y.tolist())

    def paint(
        self, z: Tensor, y: Tensor | None, request: SampleRequest, generator: torch.Generator
    ) -> Tensor:
        """Pictures of latents [N, latent] and classes [N], as ``request`` wants them."""
        return self.G(z, y)

    def _walks(self, request: SampleRequest) -> int:
        return min(request.count, len(request.labels or self.shape.classes) or 1)

    def _class_after_class(self, request: SampleRequest) -> Tensor:
        wanted = request.labels or list(range(self.shape.num_classes))
        order = [wanted[i * self._walks(request) // request.count] for i in range(request.count)]
        return torch.tensor(order, device=self.device)

    def _places(self, request: SampleRequest) -> Tensor:
        """How far along its walk each picture is, in [0, 1]."""
        count, walks = request.count, self._walks(request)
        walk_of = [i * walks // count for i in range(count)]
        length = [walk_of.count(w) for w in walk_of]
        place = [i - walk_of.index(w) for i, w in enumerate(walk_of)]
        shares = [p / max(1, n - 1) for p, n in zip(place, length, strict=True)]
        return torch.tensor(shares, device=self.device)


def walk(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Latents [N, latent] on the arc from a to b, both [1, latent], at ``t`` [N] (White 2016).

    All have the length that a latent usually has, which the straight line does not.
    """
    angle = torch.arccos(torch.cosine_similarity(a, b).clamp(-1 + 1e-6, 1 - 1e-6))
    t = t[:, None]
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def diversity(images: Tensor, real: Tensor) -> Tensor:
    """Mean distance between two generated pictures over that of two real ones; 0 is a collapse."""
    if len(images) < 2 or len(real) < 2:
        return torch.ones((), device=images.device)  # of one picture nothing can be said
    ours, theirs = (torch.pdist(x.float().flatten(1)).mean() for x in (images, real))
    return ours / theirs.clamp(min=1e-9)


def _augmentation(config: SightConfig) -> AdaptiveAugment | DiffAugment | None:
    if config.augment == "ada":
        return AdaptiveAugment(config.ada_target, config.ada_kimg)
    return DiffAugment() if config.augment == "diffaugment" else None
