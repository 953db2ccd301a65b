"""The first VAE: two perceptrons, one that encodes pictures and one that decodes them.

Kingma & Welling 2013, "Auto-Encoding Variational Bayes", appendix C: one hidden layer each way (of
500 units there), on flattened pictures of any size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from backends.knobs import Bounds, ConfigError
from backends.model import DataShape
from backends.vae._bound import VAE, BoundConfig


@dataclass(frozen=True, kw_only=True)
class Config(BoundConfig):
    """Knobs of the first VAE."""

    latent: Annotated[int, "dimensions of the latent space", Bounds(2, 512)] = 16
    width: Annotated[int, "units of a hidden layer", Bounds(4, 8192)] = 512
    depth: Annotated[int, "hidden layers of the encoder, and of the decoder", Bounds(1, 16)] = 1


class MLPVAE(VAE):
    """Encoder and decoder are each other's mirror."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = {
        "steps": 2000,
        "batch_size": 100,
        "lr": 2e-3,
        "clip_grad": 0.0,
    }

    def __init__(self, config: Any, shape: DataShape) -> None:
        if len(shape.size) != 3:
            raise ConfigError(f"this model needs images (C, H, W), not the shape {shape.size}")
        super().__init__(config, shape)
        pixels, hidden = math.prod(shape.size), [config.width] * config.depth
        self.encoder = nn.Sequential(nn.Flatten(), *_layers([pixels, *hidden]))
        self.narrow = nn.Linear(config.width + self.label, 2 * config.latent)
        self.decoder = nn.Sequential(
            *_layers([config.latent + self.label, *hidden]),
            nn.Linear(config.width, pixels),
            nn.Unflatten(1, shape.size),
        )

    def encode(self, x: Tensor, y: Tensor | None) -> Tensor:
        return self.narrow(self.labelled(self.encoder(x), y))

    def decode(self, z: Tensor, y: Tensor | None) -> Tensor:
        return self.decoder(self.labelled(z, y))


def _layers(units: list[int]) -> list[nn.Module]:
    return [layer for pair in pairwise(units) for layer in (nn.Linear(*pair), nn.ReLU())]
