"""Samplers: pure functions that carry noise to data along a list of times.

A path x_t = alpha(t) x + sigma(t) noise gives every time its signal and its noise; ``times`` run
from noise to data. ODE solvers ask a field for the velocity d x_t / dt, the others for the denoised
picture E[x | x_t]. None of them knows a network, and each works for every path.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

Field = Callable[[Tensor, float], Tensor]
"""(x_t [B, ...], t) to something of the same shape: a velocity or a denoised picture."""

Path = Callable[[float], tuple[float, float]]
"""t to (alpha, sigma)."""

Hook = Callable[[Tensor, float], Tensor]
"""(x_t, t) to x_t: called after every step, with the time it has reached."""

Step = Callable[[Field, Tensor, float, float], Tensor]
"""(velocity, x_t, t, s) to x_s."""


def unchanged(x: Tensor, t: float) -> Tensor:
    """The hook that does nothing."""
    return x


# --------------------------------------------------------------------------- ODE solvers


def euler(velocity: Field, x: Tensor, t: float, s: float) -> Tensor:
    """One evaluation, of first order."""
    return x + (s - t) * velocity(x, t)


def midpoint(velocity: Field, x: Tensor, t: float, s: float) -> Tensor:
    """The velocity halfway: two evaluations, of second order."""
    half = (s - t) / 2
    return x + (s - t) * velocity(x + half * velocity(x, t), t + half)


def heun(velocity: Field, x: Tensor, t: float, s: float) -> Tensor:
    """The mean of the velocities at both ends: two evaluations, of second order."""
    first = velocity(x, t)
    second = velocity(x + (s - t) * first, s)
    return x + (s - t) / 2 * (first + second)


STEPS: dict[str, Step] = {"euler": euler, "midpoint": midpoint, "heun": heun}


def integrate(
    step: Step, velocity: Field, x: Tensor, times: Sequence[float], after: Hook = unchanged
) -> Tensor:
    """``x`` carried along ``times`` by ``step``."""
    for t, s in pairwise(times):
        x = after(step(velocity, x, t, s), s)
    return x


def even(steps: int, start: float = 0.0, end: float = 1.0) -> list[float]:
    """``steps`` equal steps from ``start`` to ``end``."""
    return [start + (end - start) * i / steps for i in range(steps)] + [end]


@dataclass(frozen=True, slots=True)
class Churn:
    """Noise that is added at each step and taken away again (Karras 2022, section 4).

    ``amount`` is S_churn, between ``low`` and ``high`` in sigma; ``noise`` is S_noise.
    """

    amount: float = 0.0
    low: float = 0.0
    high: float = math.inf
    noise: float = 1.0

    def factor(self, sigma: float, steps: int) -> float:
        """1 + gamma_i of ``steps`` steps (algorithm 2, line 5)."""
        if not self.low <= sigma <= self.high:
            return 1.0
        return 1 + min(self.amount / steps, math.sqrt(2) - 1)


def karras(
    denoise: Field,
    x: Tensor,
    sigmas: Sequence[float],
    generator: torch.Generator,
    churn: Churn = Churn(),
    after: Hook = unchanged,
) -> Tensor:
    """Karras 2022, algorithm 2, on the path alpha = 1, sigma = t; without churn it is algorithm 1.

    Heun's rule, but for a last step to sigma = 0, which is Euler's and thus the denoised picture.
    """

    def velocity(x: Tensor, sigma: float) -> Tensor:  # eq. 3
        return (x - denoise(x, sigma)) / sigma

    for sigma, s in pairwise(sigmas):
        factor = churn.factor(sigma, len(sigmas) - 1)
        if factor > 1:
            added = sigma * math.sqrt(factor**2 - 1) * churn.noise
            x = x + added * normal_like(x, generator)
        x = (heun if s > 0 else euler)(velocity, x, factor * sigma, s)
        x = after(x, s)
    return x


# --------------------------------------------------------------------------- by denoised pictures


def ddim(
    denoise: Field,
    path: Path,
    x: Tensor,
    times: Sequence[float],
    generator: torch.Generator,
    eta: float = 0.0,
    after: Hook = unchanged,
) -> Tensor:
    """Song 2020, eq. 12: deterministic at ``eta`` 0, ancestral sampling at 1."""
    for t, s in pairwise(times):
        (_, sigma), (alpha_s, sigma_s) = path(t), path(s)
        denoised = denoise(x, t)
        noise = (x - path(t)[0] * denoised) / sigma
        fresh = eta * math.sqrt(posterior(path, t, s)[2])  # eq. 16
        x = alpha_s * denoised + math.sqrt(max(0.0, sigma_s**2 - fresh**2)) * noise
        if fresh > 0:
            x = x + fresh * normal_like(x, generator)
        x = after(x, s)
    return x


def ancestral(
    denoise: Field,
    path: Path,
    x: Tensor,
    times: Sequence[float],
    generator: torch.Generator,
    after: Hook = unchanged,
) -> Tensor:
    """Ho 2020, algorithm 2: a draw from q(x_s | x_t, x) with the denoised picture for x."""
    for t, s in pairwise(times):
        keep, take, variance = posterior(path, t, s)
        x = keep * x + take * denoise(x, t)
        if variance > 0:
            x = x + math.sqrt(variance) * normal_like(x, generator)
        x = after(x, s)
    return x


def posterior(path: Path, t: float, s: float) -> tuple[float, float, float]:
    """q(x_s | x_t, x) = N(a x_t + b x, c) as (a, b, c), s nearer to the data (Ho 2020, eq. 7).

    In the general form of Kingma 2021, appendix A: every path, and steps of any length.
    """
    (alpha, sigma), (alpha_s, sigma_s) = path(t), path(s)
    ratio = alpha / alpha_s
    between = max(0.0, sigma**2 - ratio**2 * sigma_s**2)  # of x_t given x_s
    a, b = ratio * sigma_s**2 / sigma**2, alpha_s * between / sigma**2
    return a, b, between * sigma_s**2 / sigma**2


def dpm_solver(
    denoise: Field, path: Path, x: Tensor, times: Sequence[float], after: Hook = unchanged
) -> Tensor:
    """DPM-Solver++(2M), Lu 2022, algorithm 2: second order for one evaluation a step.

    The first step, and one from pure noise or to pure data, is DDIM's.
    """
    before, last = None, math.inf
    for t, s in pairwise(times):
        (_, sigma), (alpha_s, sigma_s) = path(t), path(s)
        h = half_log_snr(path, s) - half_log_snr(path, t)
        denoised, ahead = denoise(x, t), 0.0
        if before is not None and math.isfinite(h):
            ahead = h / (2 * last)  # 1 / 2r
        target = denoised if before is None else denoised + ahead * (denoised - before)
        x = after(sigma_s / sigma * x - alpha_s * math.expm1(-h) * target, s)
        before, last = denoised, h
    return x


def half_log_snr(path: Path, t: float) -> float:
    """lambda = log(alpha / sigma): infinite for pure data, minus infinity for pure noise."""
    alpha, sigma = path(t)
    if sigma == 0:
        return math.inf
    return math.log(alpha / sigma) if alpha > 0 else -math.inf


def normal_like(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise of the shape of ``x``."""
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
