"""Wasserstein GAN: a critic measures how far pictures must be moved, and the generator follows.

Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN"; Gulrajani et al. 2017, "Improved Training of
Wasserstein GANs". The critic must be 1-Lipschitz for its game to be a distance:

    W(real, fake) = max over |D| <= 1 of E[D(x)] - E[D(G(z))]          (Arjovsky 2017, eq. 2)

by a gradient penalty or, as first published, by clipping its weights. It takes ``n_critic`` turns
for each one of the generator; a step is a turn of the critic. The defaults are for minutes: with
days, take 5 turns at lr 1e-4 as published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from torch import Tensor

from backends.gan._game import Game, PlayersConfig
from backends.gan._losses import LossName
from backends.gan._penalties import clip_weights
from backends.gan.dcgan import Discriminator, Generator
from backends.knobs import Bounds, Only
from backends.model import Batch, DataShape, Phase
from backends.nets.blocks import GroupNorm


@dataclass(frozen=True, kw_only=True)
class Config(PlayersConfig):
    """Knobs of the Wasserstein GAN."""

    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 1024)] = 100
    width: Annotated[
        int, "channels at half the resolution; doubled with each further halving", Bounds(4, 256)
    ] = 32
    lipschitz: Annotated[
        Literal["penalty", "clipping"], "what keeps the critic smooth; clipping as in 2017"
    ] = "penalty"
    penalty: Annotated[
        float, "weight of the gradient penalty", Bounds(0, 1000), Only("lipschitz", "penalty")
    ] = 10.0
    penalty_share: Annotated[
        float,
        "share of a batch on which the penalty is measured",
        Bounds(0.01, 1),
        Only("lipschitz", "penalty"),
    ] = 0.5
    clip: Annotated[
        float,
        "largest weight of the critic (clipping)",
        Bounds(1e-6, 10),
        Only("lipschitz", "clipping"),
    ] = 0.01
    n_critic: Annotated[
        int, "turns of the critic for one of the generator; 5 as published", Bounds(1, 100)
    ] = 2


class WGAN(Game):
    """The generator G and the critic D, which has no batch norm: it would mix the gradients."""

    Config = Config
    one_pass = True
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 2500,
        "optimizer": "adam",
        "lr": 1e-3,
        "beta1": 0.0,
        "beta2": 0.9,
        "clip_grad": 0.0,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.seat(
            Generator(config.latent, config.width, self.shape, GroupNorm),
            Discriminator(config.width, self.shape),
        )
        if config.lipschitz == "clipping":
            clip_weights(self.D, config.clip)

    @classmethod
    def rule(cls, config: Any) -> LossName:
        return "wasserstein"

    @classmethod
    def recipe_for(cls, config: Any) -> Mapping[str, Any]:
        """The model's recipe, or for clipping that of Arjovsky 2017, algorithm 1."""
        if config.lipschitz == "penalty":
            return cls.recipe
        return {**cls.recipe, "optimizer": "rmsprop", "lr": 5e-5, "schedule": "constant"}

    def phases(self) -> Sequence[Phase]:
        critic, generator = super().phases()
        return [critic, replace(generator, every=self.config.n_critic)]

    def penalties(
        self, x: Tensor, images: Tensor, batch: Batch
    ) -> Sequence[tuple[float, dict[str, Tensor]]]:
        return super().penalties(x, images, batch) if self.config.lipschitz == "penalty" else []

    def after_d(self) -> None:
        super().after_d()
        if self.config.lipschitz == "clipping":
            clip_weights(self.D, self.config.clip)
