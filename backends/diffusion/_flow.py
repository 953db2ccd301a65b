"""Straight paths from noise to data, whatever the network: the flow that others build on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from backends.diffusion._pictures import GuidanceKnobs, PictureKnobs, Pictures
from backends.diffusion._solvers import STEPS, Field, Hook, even, integrate, unchanged
from backends.diffusion._times import by_time, logit_normal, per_item
from backends.knobs import Bounds
from backends.model import Batch, Losses


@dataclass(frozen=True, kw_only=True)
class PathKnobs(GuidanceKnobs):
    """Knobs of a straight path and its solver."""

    t_mean: Annotated[float, "mean of logit(t) in training", Bounds(-4, 4)] = 0.0
    t_std: Annotated[float, "its standard deviation", Bounds(0.1, 4)] = 1.0
    sampler: Annotated[
        Literal["euler", "midpoint", "heun"],
        "euler evaluates the net once a step, midpoint and heun twice",
    ] = "midpoint"  # heun also asks at t = 1, of which training sees next to nothing
    sampler_steps: Annotated[int, "steps of the sampler", Bounds(1, 1000)] = 8


@dataclass(frozen=True, kw_only=True)
class FlowKnobs(PathKnobs, PictureKnobs):
    """Knobs of every flow of pictures with classes."""


class Flow(Pictures):
    """The velocity's regression and its solvers; a subclass sets ``net``."""

    net: nn.Module
    """(x_t [B, C, H, W], t [B], y [B] or None, a picture beside x_t or None) to the velocity."""

    def loss(self, batch: Batch) -> Losses:
        x, noise = batch.x, batch.randn(*batch.x.shape)
        t = logit_normal(batch, self.config.t_mean, self.config.t_std)
        y, low = self.conditions(batch)
        velocity = self.velocity(between(noise, x, t), t, y, low)
        errors = (velocity - (x - noise)).square().mean((1, 2, 3))  # Liu 2022, eq. 1
        return {"loss": errors.mean(), **by_time(errors, t)}

    def validation(self, batch: Batch) -> Losses:
        """The loss with all labels shown, and how straight the flow is."""
        return {**self.loss(batch), "straightness": self.straightness(batch)}

    def straightness(self, batch: Batch, items: int = 16, steps: int = 8) -> Tensor:
        """S(Z) = E int |Z_1 - Z_0 - dZ_t/dt|² dt (Liu 2022, eq. 4) a pixel; 0 is straight.

        Along Euler's path Z_1 - Z_0 is the mean of its velocities, so S is their variance.
        """
        x = batch.x[:items]
        y = None if batch.y is None or not self.shape.num_classes else batch.y[:items]
        low, seen = self.lowered(x), list[Tensor]()

        def velocity(z: Tensor, t: float) -> Tensor:
            seen.append(self.field(z, t, y, low))
            return seen[-1]

        integrate(STEPS["euler"], velocity, batch.randn(*x.shape), even(steps))
        return torch.stack(seen).var(0, correction=0).mean()

    def path(self, t: float) -> tuple[float, float]:
        return t, 1 - t

    def times(self, steps: int, share: float) -> list[float]:
        return even(steps, 1 - share)

    def field(self, x: Tensor, t: float, y: Tensor | None, low: Tensor | None) -> Tensor:
        """The velocity at one time for all."""
        return self.velocity(x, torch.full((len(x),), t, device=x.device), y, low)

    def meant(self, x: Tensor, t: float, answer: Tensor) -> Tensor:
        """Straight on with that velocity."""
        return x + (1 - t) * answer

    def velocity(self, x: Tensor, t: Tensor, y: Tensor | None, low: Tensor | None) -> Tensor:
        """The learned velocity at times ``t`` [B]; always float32."""
        return self.net(x, t, y, low).float()

    def solve(
        self,
        field: Field,
        x: Tensor,
        times: Sequence[float],
        generator: torch.Generator,
        after: Hook = unchanged,
    ) -> Tensor:
        return integrate(STEPS[self.config.sampler], field, x, times, after)


def between(noise: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """x_t = t x + (1 - t) noise, for t [B]."""
    t = per_item(t, x)
    return t * x + (1 - t) * noise
