"""The samplers of diffusion models, on fields and data whose answers are known."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from backends.diffusion._solvers import (
    STEPS,
    Churn,
    Field,
    Path,
    Step,
    ancestral,
    ddim,
    dpm_solver,
    euler,
    even,
    half_log_snr,
    heun,
    integrate,
    karras,
    midpoint,
    posterior,
)


def straight(t: float) -> tuple[float, float]:
    """Rectified flow."""
    return t, 1 - t


def exploding(sigma: float) -> tuple[float, float]:
    """EDM: time is the noise level."""
    return 1.0, sigma


def turning(t: float) -> tuple[float, float]:
    """Variance preserving: alpha² + sigma² = 1."""
    return math.sin(math.pi / 2 * t), math.cos(math.pi / 2 * t)


PATHS: dict[str, tuple[Path, Callable[[int], list[float]]]] = {
    "straight": (straight, lambda steps: even(steps, 0.001)),
    "exploding": (exploding, lambda steps: [20 * (1 - i / steps) ** 4 for i in range(steps + 1)]),
    "turning": (turning, lambda steps: even(steps, 0.001)),
}
every_path = pytest.mark.parametrize("name", PATHS)


def of_gaussian(path: Path, std: float) -> Field:
    """E[x | x_t] of data that is N(0, std²): the best that any network could learn."""

    def denoise(x: Tensor, t: float) -> Tensor:
        alpha, sigma = path(t)
        return alpha * std**2 / (alpha**2 * std**2 + sigma**2) * x

    return denoise


def start(name: str, steps: int, std: float, count: int = 10_000) -> tuple[Tensor, list[float]]:
    """True x_t [count] at the first of the times, and the times."""
    path, times = PATHS[name]
    alpha, sigma = path(times(steps)[0])
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(count, generator=noise, dtype=torch.float64)
    return math.sqrt(alpha**2 * std**2 + sigma**2) * x, times(steps)


def source() -> torch.Generator:
    return torch.Generator().manual_seed(1)


# --------------------------------------------------------------------------- ODE solvers


def test_fields_with_known_answers() -> None:
    x = torch.randn(4, 1, 2, 2)
    constant = integrate(euler, lambda x, t: torch.full_like(x, 2.0), x, even(1))
    torch.testing.assert_close(constant, x + 2)
    for step in (heun, midpoint):  # the integral of t: both rules are exact
        drawn = integrate(step, lambda x, t: torch.full_like(x, t), x, even(3))
        torch.testing.assert_close(drawn, x + 0.5)
        growing = integrate(step, lambda x, t: x, x, even(2))
        torch.testing.assert_close(growing, (1 + 0.5 + 0.125) ** 2 * x)
    torch.testing.assert_close(integrate(euler, lambda x, t: x, x, even(2)), 1.5**2 * x)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2)])
def test_solvers_have_their_orders(name: str, order: int) -> None:
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)

    def error(step: Step, steps: int) -> float:
        return abs(integrate(step, lambda x, t: t * x, x, even(steps)).item() - math.exp(0.5))

    assert error(STEPS[name], 32) / error(STEPS[name], 64) == pytest.approx(2**order, rel=0.1)


def test_straight_lines_from_noise_end_at_the_data() -> None:
    data = torch.randn(4, 1, 2, 2)

    def velocity(x: Tensor, t: float) -> Tensor:  # of x_t = t·data + (1 − t)·noise
        return (data - x) / (1 - t)

    for steps in (1, 5):
        drawn = integrate(euler, velocity, torch.randn(4, 1, 2, 2), even(steps))
        torch.testing.assert_close(drawn, data)


def test_even_times_begin_and_end_where_they_shall() -> None:
    assert even(4) == [0, 0.25, 0.5, 0.75, 1]
    assert even(3, 0.7)[0] == 0.7
    assert even(3, 0.7)[-1] == 1


# --------------------------------------------------------------------------- all samplers


Sampler = Callable[[Field, Path, Tensor, list[float]], Tensor]
SAMPLERS: dict[str, Sampler] = {
    "ddim": lambda f, path, x, times: ddim(f, path, x, times, source()),
    "ddim 0.5": lambda f, path, x, times: ddim(f, path, x, times, source(), eta=0.5),
    "ancestral": lambda f, path, x, times: ancestral(f, path, x, times, source()),
    "dpm": lambda f, path, x, times: dpm_solver(f, path, x, times),
}
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS)


@every_path
@every_sampler
@pytest.mark.parametrize("std", [0.3, 1.5])
def test_the_best_denoiser_of_a_gaussian_brings_back_its_spread(
    name: str, sampler: str, std: float
) -> None:
    path, _ = PATHS[name]
    x, times = start(name, 800, std)
    drawn = SAMPLERS[sampler](of_gaussian(path, std), path, x, times)
    assert drawn.std().item() == pytest.approx(std, rel=0.03)
    assert drawn.mean().item() == pytest.approx(0, abs=0.03 * std)


@pytest.mark.parametrize("amount", [0.0, 40.0])
@pytest.mark.parametrize("std", [0.3, 1.5])
def test_karras_brings_back_the_spread_with_and_without_churn(amount: float, std: float) -> None:
    x, times = start("exploding", 100, std)
    drawn = karras(of_gaussian(exploding, std), x, times, source(), Churn(amount))
    assert drawn.std().item() == pytest.approx(std, rel=0.03)


@every_path
@every_sampler
def test_samplers_that_know_the_data_end_there(name: str, sampler: str) -> None:
    path, _ = PATHS[name]
    x, times = start(name, 5, 1.0, count=8)
    data = torch.linspace(-1, 1, 8, dtype=torch.float64)
    drawn = SAMPLERS[sampler](lambda x, t: data, path, x, times)
    torch.testing.assert_close(drawn, data)


@every_path
def test_ancestral_sampling_is_ddim_with_all_of_its_noise(name: str) -> None:
    """Song 2020, section 4.1."""
    path, _ = PATHS[name]
    x, times = start(name, 7, 0.5, count=100)
    denoise = of_gaussian(path, 0.5)
    one = ancestral(denoise, path, x, times, source())
    two = ddim(denoise, path, x, times, source(), eta=1.0)
    torch.testing.assert_close(one, two)


@every_path
def test_posterior_is_what_bayes_says(name: str) -> None:
    """Products of N(x_s; alpha_s x, sigma_s²) and N(x_t; ratio x_s, between²)."""
    path, times = PATHS[name]
    t, s = times(10)[3:5]
    (alpha, sigma), (alpha_s, sigma_s) = path(t), path(s)
    ratio = alpha / alpha_s
    between = sigma**2 - ratio**2 * sigma_s**2
    precision = 1 / sigma_s**2 + ratio**2 / between
    a, b, c = posterior(path, t, s)
    assert c == pytest.approx(1 / precision)
    assert a == pytest.approx(ratio / between / precision)
    assert b == pytest.approx(alpha_s / sigma_s**2 / precision)


def test_the_last_step_of_ancestral_sampling_is_the_denoised_picture() -> None:
    assert posterior(straight, 0.5, 1.0) == (0, 1, 0)


@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("dpm", 2), ("karras", 2)])
def test_deterministic_samplers_have_their_orders(sampler: str, order: int) -> None:
    """From one noise level to another, where the exact answer scales x by the ratio of the spreads.

    The steps are even in log sigma, as DPM-Solver's analysis wants it.
    """
    std, x = 0.5, torch.ones(1, dtype=torch.float64)
    exact = math.sqrt((std**2 + 0.1**2) / (std**2 + 5**2))

    def error(steps: int) -> float:
        times = [5 * (0.1 / 5) ** (i / steps) for i in range(steps + 1)]
        denoise = of_gaussian(exploding, std)
        if sampler == "karras":
            return abs(karras(denoise, x, times, source()).item() - exact)
        return abs(SAMPLERS[sampler](denoise, exploding, x, times).item() - exact)

    assert error(80) / error(160) == pytest.approx(2**order, rel=0.12)


def test_two_samplers_of_one_ode_agree() -> None:
    """DDIM on the straight path is Euler's rule for its velocity."""
    x, times = torch.randn(6, dtype=torch.float64), even(9)
    data = torch.linspace(-1, 1, 6, dtype=torch.float64)

    def denoise(x: Tensor, t: float) -> Tensor:
        return data + 0.3 * torch.sin(x + t)

    def velocity(x: Tensor, t: float) -> Tensor:
        return (denoise(x, t) - x) / (1 - t)

    by_velocity = integrate(euler, velocity, x, times)
    torch.testing.assert_close(ddim(denoise, straight, x, times, source()), by_velocity)


# --------------------------------------------------------------------------- churn and hooks


def test_churn_applies_within_its_range() -> None:
    churn = Churn(amount=10, low=0.1, high=2.0)
    assert churn.factor(1.0, 100) == pytest.approx(1.1)
    assert churn.factor(1.0, 10) == pytest.approx(math.sqrt(2))  # gamma is at most sqrt(2) - 1
    assert churn.factor(0.05, 100) == churn.factor(3.0, 100) == Churn().factor(1.0, 10) == 1


def test_randomness_is_the_generator_s_alone() -> None:
    x, times = start("exploding", 5, 1.0, count=10)
    denoise = of_gaussian(exploding, 1.0)
    one, two, other = (
        ancestral(denoise, exploding, x, times, torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_hooks_are_called_after_each_step_with_the_time_it_reached() -> None:
    x, times = start("turning", 4, 1.0, count=3)
    denoise = of_gaussian(turning, 1.0)
    for solve in (
        lambda after: integrate(heun, denoise, x, times, after),
        lambda after: ddim(denoise, turning, x, times, source(), after=after),
        lambda after: ancestral(denoise, turning, x, times, source(), after),
        lambda after: dpm_solver(denoise, turning, x, times, after),
        lambda after: karras(lambda x, t: x, x, times[::-1], source(), after=after),
    ):
        seen: list[float] = []

        def after(x: Tensor, t: float, seen: list[float] = seen) -> Tensor:
            seen.append(t)
            return torch.full_like(x, 7.0)

        assert (solve(after) == 7).all()
        assert seen in (times[1:], times[::-1][1:])


def test_half_log_snr_is_infinite_at_both_ends() -> None:
    assert half_log_snr(straight, 0.0) == -math.inf
    assert half_log_snr(straight, 0.5) == 0
    assert half_log_snr(straight, 1.0) == math.inf
