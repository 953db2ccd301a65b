"""DDPM: takes the noise out of a picture in many small steps, a Markov chain run backwards.

Ho 2020, "Denoising Diffusion Probabilistic Models". Noise is added over T timesteps,

    q(x_t | x) = N(√ᾱ_t x, (1 - ᾱ_t) 1),   t = 1 ... T,                    (eq. 4)

a network learns what was added, and samples go the other way, from x_T ~ N(0, 1). The schedule ᾱ is
Ho's or the cosine of Nichol & Dhariwal 2021; what the network predicts is the noise ε, the velocity
v = √ᾱ ε - √(1 - ᾱ) x of Salimans & Ho 2022, or the picture x itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from backends.diffusion._editing import share_of_noise
from backends.diffusion._pictures import RECIPE, PictureKnobs, Pictures, UNetKnobs, unet
from backends.diffusion._solvers import Field, Hook, ancestral, ddim, dpm_solver
from backends.diffusion._times import by_time, per_item, spread
from backends.knobs import Bounds, Only
from backends.model import Batch, DataShape, Losses

Prediction = Literal["epsilon", "v", "x"]


@dataclass(frozen=True, kw_only=True)
class Config(PictureKnobs, UNetKnobs):
    """Knobs of DDPM."""

    timesteps: Annotated[int, "T, steps of the noising chain", Bounds(2, 10_000)] = 1000
    noise_schedule: Annotated[
        Literal["cosine", "linear"], "how fast the chain adds noise: Nichol's or Ho's"
    ] = "cosine"
    prediction: Annotated[
        Prediction, "what the network predicts: the noise, the velocity v or the picture"
    ] = "v"
    weighting: Annotated[
        Literal["simple", "min_snr"], "all timesteps alike, or min-SNR (Hang 2023)"
    ] = "simple"
    snr_limit: Annotated[
        float, "γ of the min-SNR weighting", Bounds(0.1, 1000), Only("weighting", "min_snr")
    ] = 5.0
    sampler: Annotated[
        Literal["ddim", "ancestral", "dpm"],
        "DDIM, the chain itself, or DPM-Solver++ of second order; each asks the net once a step",
    ] = "ddim"
    eta: Annotated[
        float, "noise of DDIM: 0 is none, 1 the chain's", Bounds(0, 1), Only("sampler", "ddim")
    ] = 0.0
    clip: Annotated[bool, "keep every denoised picture within the range of pixels"] = True
    sampler_steps: Annotated[int, "steps of the sampler", Bounds(1, 10_000)] = 24


class DDPM(Pictures):
    """The chain, the loss and the samplers; time is the timestep, T for noise and 0 for data."""

    Config = Config
    recipe: ClassVar[Mapping[str, Any]] = RECIPE

    def __init__(self, config: Any, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.net = unet(config, shape)
        self.levels = signal(config.noise_schedule, config.timesteps)
        self.register_buffer("alpha_bar", torch.tensor(self.levels), persistent=False)

    alpha_bar: Tensor

    def loss(self, batch: Batch) -> Losses:
        x, noise, T = batch.x, batch.randn(*batch.x.shape), self.config.timesteps
        t = (spread(batch) * T).long().clamp(max=T - 1) + 1  # uniform on 1 ... T
        alpha_bar = self.alpha_bar[t]
        alpha, sigma = (per_item(s.sqrt(), x) for s in (alpha_bar, 1 - alpha_bar))
        y, low = self.conditions(batch)
        predicted = self.net(alpha * x + sigma * noise, t / T, y, low).float()
        target = self.target(x, noise, alpha, sigma)
        errors = (predicted - target).square().mean((1, 2, 3)) * self.weight(alpha_bar)  # eq. 14
        return {"loss": errors.mean(), **by_time(errors, t / T)}

    def target(self, x: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """What the network shall say."""
        v = alpha * noise - sigma * x
        return {"epsilon": noise, "v": v, "x": x}[self.config.prediction]

    def weight(self, alpha_bar: Tensor) -> Tensor:
        """Of each error: 1, or min(SNR, γ) as a weight of the error in x (Hang 2023, eq. 6)."""
        if self.config.weighting == "simple":
            return torch.ones_like(alpha_bar)
        snr = alpha_bar / (1 - alpha_bar)
        of_x = {"epsilon": snr, "v": snr + 1, "x": torch.ones_like(snr)}[self.config.prediction]
        return snr.clamp(max=self.config.snr_limit) / of_x

    # ------------------------------------------------------------------ drawing

    def path(self, t: float) -> tuple[float, float]:
        alpha_bar = self.levels[round(t)]
        return math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)

    def times(self, steps: int, share: float) -> Sequence[float]:
        """Timesteps at equal distances, as whole numbers; no more of them than there are."""
        T = self.config.timesteps
        last = max((t for t in range(T + 1) if share_of_noise(self.path, t) <= share), default=0)
        count = min(steps, last)
        return [round(last * (1 - i / count)) for i in range(count + 1)] if count else []

    def field(self, x: Tensor, t: float, y: Tensor | None, low: Tensor | None) -> Tensor:
        """The denoised picture."""
        share = torch.full((len(x),), t / self.config.timesteps, device=x.device)
        return denoised(
            self.config.prediction, self.net(x, share, y, low).float(), x, *self.path(t)
        )

    def solve(
        self,
        field: Field,
        x: Tensor,
        times: Sequence[float],
        generator: torch.Generator,
        after: Hook,
    ) -> Tensor:
        def denoise(x: Tensor, t: float) -> Tensor:
            return field(x, t).clamp(-1, 1) if self.config.clip else field(x, t)

        if self.config.sampler == "ancestral":
            return ancestral(denoise, self.path, x, times, generator, after)
        if self.config.sampler == "dpm":
            return dpm_solver(denoise, self.path, x, times, after)
        return ddim(denoise, self.path, x, times, generator, self.config.eta, after)


def signal(schedule: str, T: int) -> list[float]:
    """ᾱ_0 ... ᾱ_T, falling from 1 to nearly 0: products of 1 - β_t with β_t at most 0.999."""
    if schedule == "linear":  # Ho 2020, section 4, and the same noise in all for any T
        betas = [1000 / T * (1e-4 + (0.02 - 1e-4) * i / max(1, T - 1)) for i in range(T)]
    else:  # Nichol & Dhariwal 2021, eq. 17
        f = [math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(T + 1)]
        betas = [1 - f[t + 1] / f[t] for t in range(T)]
    levels = [1.0]
    for beta in betas:
        levels.append(levels[-1] * (1 - min(beta, 0.999)))
    return levels


def denoised(
    prediction: Prediction, predicted: Tensor, x_t: Tensor, alpha: float, sigma: float
) -> Tensor:
    """The picture that a prediction means, where x_t = alpha x + sigma ε."""
    if prediction == "x":
        return predicted
    if prediction == "v":
        return alpha * x_t - sigma * predicted
    return (x_t - sigma * predicted) / alpha
