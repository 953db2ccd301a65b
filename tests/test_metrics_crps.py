"""CRPS: closed forms against each other, against samples, and what makes a score proper."""

import math

import pytest
import torch

from backends.metrics.crps import crps_gaussian, crps_samples

MU = torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64)
SIGMA = torch.tensor([1.0, 0.3, 2.0], dtype=torch.float64)
Y = torch.tensor([0.0, 1.5, 3.0], dtype=torch.float64)


def draws(count: int) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    return MU + SIGMA * torch.randn(count, 3, generator=noise, dtype=torch.float64)


def test_the_gaussian_at_its_mean() -> None:
    expected = (math.sqrt(2) - 1) / math.sqrt(math.pi)  # 2 φ(0) - 1 / √π
    assert crps_gaussian(MU, SIGMA, MU) == pytest.approx((expected * SIGMA).tolist())


def test_the_gaussian_is_the_integral_of_the_definition() -> None:
    x = torch.linspace(-30, 30, 240_001, dtype=torch.float64)[:, None]
    below = torch.special.ndtr((x - MU) / SIGMA)
    integral = torch.trapezoid((below - (x >= Y).double()) ** 2, x, dim=0)
    assert crps_gaussian(MU, SIGMA, Y) == pytest.approx(integral.tolist(), abs=2e-4)


def test_samples_agree_with_the_gaussian_they_are_from() -> None:
    truth, found = crps_gaussian(MU, SIGMA, Y), crps_samples(draws(100_000), Y)
    assert torch.allclose(found, truth, rtol=0.02)


def test_samples_equal_the_double_sum() -> None:
    x = draws(7)
    apart = (x[:, None] - x).abs().sum((0, 1))
    error = (x - Y).abs().mean(0)
    assert torch.allclose(crps_samples(x, Y), error - apart / (2 * 7 * 6))
    assert torch.allclose(crps_samples(x, Y, fair=False), error - apart / (2 * 7 * 7))


def test_fair_samples_are_unbiased_however_few() -> None:
    pairs = draws(200_000).unflatten(0, (2, 100_000))
    fair, plain = (crps_samples(pairs, Y.expand(100_000, 3), fair=f).mean(0) for f in (True, False))
    truth = crps_gaussian(MU, SIGMA, Y)
    assert torch.allclose(fair, truth, rtol=0.02)
    assert (plain > 1.05 * truth).all()


def test_a_forecast_without_spread_scores_its_error() -> None:
    same = MU.expand(5, 3)
    assert torch.allclose(crps_samples(same, Y), (MU - Y).abs())
    assert torch.allclose(crps_samples(MU[None], Y, fair=False), (MU - Y).abs())
    near = crps_gaussian(MU, torch.full_like(MU, 1e-9), Y + 1)
    assert torch.allclose(near, (MU - Y - 1).abs(), atol=1e-8)


def test_the_right_forecast_scores_best() -> None:
    came = draws(20_000)
    scores = {s: crps_gaussian(MU, SIGMA * s, came).mean(0) for s in (0.7, 1.0, 1.4)}
    assert (scores[1.0] < scores[0.7]).all()
    assert (scores[1.0] < scores[1.4]).all()


def test_shapes_must_match_and_samples_be_enough() -> None:
    with pytest.raises(ValueError, match="do not match"):
        crps_samples(draws(4), Y[:2])
    with pytest.raises(ValueError, match="at least 2 samples"):
        crps_samples(draws(1), Y)
