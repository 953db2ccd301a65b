"""Rectified flow: learns the velocity that carries noise along straight lines to the data.

Liu 2022, "Flow Straight and Fast"; Lipman 2022, "Flow Matching for Generative Modeling". Time runs
from noise to data:

    x_t = t x + (1 - t) noise,   d x_t / dt = velocity = x - noise,   t in [0, 1],

and samples solve that equation from t = 0 to t = 1 with the learned velocity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from backends.diffusion._flow import Flow, FlowKnobs
from backends.diffusion._pictures import RECIPE, UNetKnobs, unet
from backends.model import DataShape


@dataclass(frozen=True, kw_only=True)
class Config(FlowKnobs, UNetKnobs):
    """Knobs of rectified flow."""


class RectifiedFlow(Flow):
    """The velocity field is a U-Net."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = RECIPE

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.net = unet(config, shape)
