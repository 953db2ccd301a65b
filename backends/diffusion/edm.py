"""EDM: a denoiser for every noise level, its inputs and outputs scaled so that all are alike to it.

Karras 2022, "Elucidating the Design Space of Diffusion-Based Generative Models". A picture with
noise of standard deviation σ is denoised by

    D(x; σ) = c_skip(σ) x + c_out(σ) F(c_in(σ) x; c_noise(σ)),                            (eq. 7)

F being the network, and samples follow dx/dσ = (x - D(x; σ)) / σ from σ_max down to 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from backends.diffusion._augment import HINTS, augmented
from backends.diffusion._pictures import RECIPE, PictureKnobs, Pictures, UNetKnobs, unet
from backends.diffusion._solvers import Churn, Field, Hook, dpm_solver, karras
from backends.diffusion._times import by_time, per_item, spread_normal
from backends.knobs import Bounds, ConfigError, Only
from backends.model import Batch, DataShape, Losses


@dataclass(frozen=True, kw_only=True)
class Config(PictureKnobs, UNetKnobs):
    """Knobs of EDM, with the paper's values (its table 1)."""

    p_mean: Annotated[float, "mean of ln σ in training", Bounds(-6, 6)] = -1.2
    p_std: Annotated[float, "its standard deviation", Bounds(0.1, 6)] = 1.2
    sigma_data: Annotated[float, "standard deviation of the pixels", Bounds(0.01, 10)] = 0.5
    augment: Annotated[
        float, "share of pictures that are flipped, turned, scaled and moved", Bounds(0, 1)
    ] = 0.0
    sampler: Annotated[
        Literal["heun", "dpm"],
        "heun asks the net twice a step, DPM-Solver++ of second order once",
    ] = "heun"
    sampler_steps: Annotated[int, "steps of the sampler", Bounds(1, 1000)] = 12
    sigma_min: Annotated[float, "the last noise level but 0", Bounds(1e-5, 1)] = 0.002
    sigma_max: Annotated[float, "the noise level that samples begin with", Bounds(1, 1000)] = 80.0
    rho: Annotated[float, "how much the steps crowd at low noise", Bounds(0.5, 100)] = 7.0
    churn: Annotated[
        float, "S_churn: noise added again while sampling", Bounds(0, 1000), Only("sampler", "heun")
    ] = 0.0
    churn_low: Annotated[
        float,
        "S_min: the least σ with churn",
        Bounds(0, 1000),
        Only("sampler", "heun"),
        Only("churn"),
    ] = 0.05
    churn_high: Annotated[
        float,
        "S_max: the greatest σ with churn",
        Bounds(0, 1000),
        Only("sampler", "heun"),
        Only("churn"),
    ] = 50.0
    churn_noise: Annotated[
        float,
        "S_noise: how strong that noise is",
        Bounds(0.5, 2),
        Only("sampler", "heun"),
        Only("churn"),
    ] = 1.003


class EDM(Pictures):
    """The preconditioned denoiser; time is the noise level σ."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = RECIPE

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        if config.sigma_min >= config.sigma_max:
            raise ConfigError("sigma_min must be below sigma_max: lower sigma_min")
        self.net = unet(config, shape, hints=HINTS if config.augment else 0)

    def loss(self, batch: Batch) -> Losses:
        x, hints = augmented(batch, self.config.augment) if self._augments else (batch.x, None)
        sigma = torch.exp(self.config.p_mean + self.config.p_std * spread_normal(batch))
        s = per_item(sigma, x)
        noised = x + s * batch.randn(*x.shape)
        y, low = self.conditions(batch, x)
        c = Preconditioning.of(s, self.config.sigma_data)
        out = self.net(c.inner * noised, sigma.log() / 4, y, low, hints=hints).float()
        # λ(σ) c_out² = 1: the weighted error of D is the plain error of F (eq. 8).
        errors = (out - (x - c.skip * noised) / c.out).square().mean((1, 2, 3))
        return {"loss": errors.mean(), **by_time(errors, sigma / (1 + sigma), "loss_noise")}

    @property
    def _augments(self) -> bool:
        return self.training and self.config.augment > 0

    # ------------------------------------------------------------------ drawing

    def path(self, t: float) -> tuple[float, float]:
        return 1.0, t

    def times(self, steps: int, share: float) -> Sequence[float]:
        """σ_0 ... σ_N = 0 (eq. 5), from σ_max or where ``share`` begins."""
        config = self.config
        high = min(config.sigma_max, share / (1 - share) if share < 1 else math.inf)
        low = min(config.sigma_min, high)
        ends = [level ** (1 / config.rho) for level in (high, low)]
        shares = [i / max(1, steps - 1) for i in range(steps)]
        return [(ends[0] + s * (ends[1] - ends[0])) ** config.rho for s in shares] + [0.0]

    def field(self, x: Tensor, t: float, y: Tensor | None, low: Tensor | None) -> Tensor:
        """D(x; σ)."""
        sigma = torch.full((len(x),), t, device=x.device)
        c = Preconditioning.of(per_item(sigma, x), self.config.sigma_data)
        out = self.net(c.inner * x, sigma.log() / 4, y, low).float()
        return c.skip * x + c.out * out

    def solve(
        self,
        field: Field,
        x: Tensor,
        times: Sequence[float],
        generator: torch.Generator,
        after: Hook,
    ) -> Tensor:
        if self.config.sampler == "dpm":
            return dpm_solver(field, self.path, x, times, after)
        config = self.config
        churn = Churn(config.churn, config.churn_low, config.churn_high, config.churn_noise)
        return karras(field, x, times, generator, churn, after)


@dataclass(frozen=True, slots=True)
class Preconditioning:
    """The scales of table 1: F sees and says numbers of variance 1, whatever σ."""

    skip: Tensor
    out: Tensor
    inner: Tensor

    @classmethod
    def of(cls, sigma: Tensor, sigma_data: float) -> "Preconditioning":
        total = sigma**2 + sigma_data**2
        return cls(sigma_data**2 / total, sigma * sigma_data / total.sqrt(), 1 / total.sqrt())
