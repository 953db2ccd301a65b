"""DiT: a Transformer over patches of the picture, steered by time and class, learns the flow.

Peebles & Xie 2022, "Scalable Diffusion Models with Transformers"; trained on straight paths from
noise to data as in Ma 2024, "SiT". It is made for GPUs: a convolution knows from the start that
near pixels belong together, a Transformer has to learn it, so that in minutes on a CPU the U-Net of
`diffusion/rectified_flow` draws better pictures for the same time.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from backends.diffusion._flow import Flow, FlowKnobs
from backends.diffusion._pictures import RECIPE
from backends.knobs import Bounds, ConfigError
from backends.model import DataShape
from backends.nets import dit
from backends.nets.blocks import image_size


@dataclass(frozen=True, kw_only=True)
class Config(FlowKnobs):
    """Knobs of DiT."""

    patch: Annotated[int, "side of the square that is one token", Bounds(1, 32, "pixels")] = 4
    width: Annotated[int, "channels of a token, a multiple of 4 · heads", Bounds(8, 4096)] = 128
    layers: Annotated[int, "Transformer blocks", Bounds(1, 64)] = 4
    heads: Annotated[int, "attention heads", Bounds(1, 64)] = 4
    mlp_ratio: Annotated[float, "hidden channels of the MLPs over width", Bounds(0.5, 16)] = 4.0
    dropout: Annotated[float, "share of every branch dropped in training", Bounds(0, 0.9)] = 0.0


class DiT(Flow):
    """The velocity field is a Transformer."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = {**RECIPE, "steps": 700}

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        if config.width % (4 * config.heads):
            raise ConfigError(
                f"width {config.width} must be a multiple of 4 · heads: make it "
                f"{4 * config.heads * max(1, config.width // (4 * config.heads))}"
            )
        channels, height, width = image_size(shape, math.lcm(4, config.patch))
        self.net = dit.DiT(
            channels,
            (height, width),
            patch=config.patch,
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            mlp_ratio=config.mlp_ratio,
            dropout=config.dropout,
            extra=channels if config.upscale > 1 else 0,
            classes=self.shape.num_classes,
        )
