"""Rectified flow: learns the velocity that carries noise along straight lines to the data.

Liu 2022, "Flow Straight and Fast"; Lipman 2022, "Flow Matching for Generative Modeling". Time runs
from noise to data:

    x_t = t x + (1 - t) noise,   d x_t / dt = velocity = x - noise,   t in [0, 1],

and samples solve that equation from t = 0 to t = 1 with the learned velocity.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from backends.knobs import Bounds
from backends.model import Batch, DataShape, Losses, Model, Samples
from backends.nets.blocks import chunks, image_size
from backends.nets.unet import UNet
from backends.records import Modality, SampleRequest

Velocity = Callable[[Tensor, Tensor], Tensor]
"""(x_t [B, C, H, W], t [B]) to the velocity [B, C, H, W]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Knobs of rectified flow."""

    width: Annotated[
        int, "channels at full resolution; doubled with each level", Bounds(8, 512)
    ] = 32
    levels: Annotated[int, "resolutions of the U-Net", Bounds(1, 6)] = 3
    attention: Annotated[bool, "self-attention at the coarsest resolution"] = False
    dropout: Annotated[float, "dropout inside of the residual blocks", Bounds(0, 0.9)] = 0.0
    t_mean: Annotated[float, "mean of logit(t) in training", Bounds(-4, 4)] = 0.0
    t_std: Annotated[float, "its standard deviation", Bounds(0.1, 4)] = 1.0
    conditional: Annotated[bool, "condition on the class where the data has labels"] = True
    label_dropout: Annotated[float, "share of labels hidden in training", Bounds(0, 1)] = 0.1
    sampler: Annotated[
        Literal["euler", "heun"], "euler evaluates the net once a step, heun twice"
    ] = "euler"
    sampler_steps: Annotated[int, "steps of the sampler", Bounds(1, 1000)] = 16
    guidance: Annotated[float, "classifier-free guidance of samples; 1 is none", Bounds(0, 20)] = (
        1.5
    )


class RectifiedFlow(Model):
    """The velocity field, its regression and its solvers."""

    Config = Config
    modality: ClassVar[Modality] = "image"
    asks: ClassVar[frozenset[str]] = frozenset({"labels", "steps", "guidance"})
    recipe: ClassVar[Mapping[str, Any]] = {"steps": 800, "lr": 2e-3}
    default_dataset: ClassVar[str] = "fashion-mini"

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape if config.conditional else replace(shape, classes=()))
        channels, _, _ = image_size(shape, max(4, 2 ** (config.levels - 1)))
        self.net = UNet(
            channels,
            base=config.width,
            levels=config.levels,
            classes=self.shape.num_classes,
            attention=config.attention,
            dropout=config.dropout,
        )

    def loss(self, batch: Batch) -> Losses:
        x, noise, t = batch.x, batch.randn(*batch.x.shape), self.times(batch)
        s = t[:, None, None, None]
        velocity = self.net(s * x + (1 - s) * noise, t, self._hidden(batch)).float()
        errors = (velocity - (x - noise)).square().mean((1, 2, 3))  # Liu 2022, eq. 1
        return {"loss": errors.mean(), **by_time(errors, t)}

    def times(self, batch: Batch) -> Tensor:
        """t [B], logit-normal (Esser 2024, section 3.1) and spread evenly over its quantiles, which
        keeps the loss of a small batch steady (Kingma 2021, appendix I.1)."""
        count = len(batch.x)
        shares = (torch.arange(count, device=batch.x.device) + batch.rand(1)) / count
        normal = torch.special.ndtri(shares.clamp(1e-6, 1 - 1e-6))
        return torch.sigmoid(self.config.t_mean + self.config.t_std * normal)

    def _hidden(self, batch: Batch) -> Tensor | None:
        """Labels, some of them replaced by "none" (Ho & Salimans 2022)."""
        none = self.shape.num_classes
        if batch.y is None or not none:
            return None
        hide = batch.rand(len(batch.y)) < self.config.label_dropout
        return torch.where(hide, none, batch.y)

    def sample(self, request: SampleRequest, generator: torch.Generator) -> Samples:
        y = self.labels_of(request)
        size = (request.count, *self.shape.size)
        noise = torch.randn(*size, generator=generator, device=self.device)
        steps = request.steps or self.config.sampler_steps
        solve = heun if self.config.sampler == "heun" else euler
        drawn = [
            solve(
                self.velocity(None if y is None else y[part], request.guidance), noise[part], steps
            )
            for part in chunks(request.count)
        ]
        return Samples(torch.cat(drawn).clamp(-1, 1), labels=[] if y is None else y.tolist())

    def velocity(self, y: Tensor | None, guidance: float | None) -> Velocity:
        """The learned velocity, guided towards the classes ``y`` (Ho & Salimans 2022, eq. 6)."""
        scale = self.config.guidance if guidance is None else guidance
        if y is None or scale == 1:
            return lambda x, t: self.net(x, t, y).float()
        both = torch.cat([y, torch.full_like(y, self.shape.num_classes)])

        def guided(x: Tensor, t: Tensor) -> Tensor:
            told, free = self.net(x.repeat(2, 1, 1, 1), t.repeat(2), both).float().chunk(2)
            return free + scale * (told - free)

        return guided


def euler(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """``x`` carried from t = 0 to 1 in ``steps`` evaluations of ``velocity``."""
    for i in range(steps):
        t = torch.full((len(x),), i / steps, device=x.device)
        x = x + velocity(x, t) / steps
    return x


def heun(velocity: Velocity, x: Tensor, steps: int) -> Tensor:
    """The same with the trapezoidal rule: of second order, 2 ``steps`` evaluations."""
    for i in range(steps):
        t = torch.full((len(x),), i / steps, device=x.device)
        first = velocity(x, t)
        second = velocity(x + first / steps, t + 1 / steps)
        x = x + (first + second) / (2 * steps)
    return x


def by_time(errors: Tensor, t: Tensor, bins: int = 4) -> dict[str, Tensor]:
    """Mean error in each quarter of [0, 1]; the overall mean where no t fell into one."""
    terms = {}
    for i in range(bins):
        inside = ((t * bins).long().clamp(max=bins - 1) == i).float()
        count = inside.sum()
        mean = (errors * inside).sum() / count.clamp(min=1)
        terms[f"loss_t/{i / bins:.2f}-{(i + 1) / bins:.2f}"] = torch.where(
            count > 0, mean, errors.mean()
        )
    return terms
