"""Forecasts: causal, scaled by their own context, calibrated on a process that is known."""

import csv
import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import same
from torch import Tensor

from backends import samples
from backends.autoregressive.series import KEPT, Series, StudentT
from backends.knobs import ConfigError, configure
from backends.model import Batch, Column, DataShape, RequestError
from backends.records import SampleRequest

COLUMNS = (Column("warmth", 10.0, 2.0), Column("rain", 50.0, 5.0))
SHAPE = DataShape("series", (2, 12, 4), columns=COLUMNS)


def build(shape: DataShape = SHAPE, **knobs: object) -> Series:
    torch.manual_seed(0)
    config = configure(Series.Config, {"width": 16, "layers": 1, "heads": 2, **knobs})
    return Series(config, shape)


def stirred() -> Series:
    model = build()
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=noise))
    return model.eval()


def batch_of(x: Tensor, seed: int = 0) -> Batch:
    return Batch(x, None, torch.Generator().manual_seed(seed))


def walks(count: int, length: int = 16, columns: int = 2) -> Tensor:
    source = torch.Generator().manual_seed(3)
    return torch.randn(count, columns, length, generator=source).cumsum(2) / 4


def test_a_forecast_depends_on_the_past_alone() -> None:
    model = stirred()
    v = walks(2).transpose(1, 2)
    changed = v.clone()
    changed[:, 9:] += 1
    before, after = model(v), model(changed)
    for one, two in zip(before, after, strict=True):
        torch.testing.assert_close(one[:, :9], two[:, :9])
        assert not torch.allclose(one[:, 9:], two[:, 9:])


def test_the_cache_gives_what_the_whole_network_gives() -> None:
    model = stirred()
    v = walks(3).transpose(1, 2)
    cache = model.transformer.cache(3)
    model(v[:, :12], cache)
    stepwise = model(v[:, 12:13], cache, v[:, 11:12])
    for one, two in zip(stepwise, model(v[:, :13]), strict=True):
        torch.testing.assert_close(one[:, 0], two[:, 12], rtol=1e-4, atol=1e-5)


def test_a_forecast_moves_and_grows_with_its_past() -> None:
    model = stirred()
    past = walks(2)[:, :, :12]
    plain = model.paths(past, 5, 4, torch.Generator().manual_seed(2))
    moved = model.paths(3 * past + 7, 5, 4, torch.Generator().manual_seed(2))
    torch.testing.assert_close(moved, 3 * plain + 7, rtol=1e-3, atol=1e-3)


def test_the_loss_is_the_likelihood_in_the_datas_own_units() -> None:
    model, x = build().eval(), walks(4)
    small, large = model.loss(batch_of(x))["loss"], model.loss(batch_of(10 * x))["loss"]
    assert (large - small).item() == pytest.approx(math.log(10), rel=1e-4)


@pytest.mark.parametrize("df", [3.0, 8.0])
def test_draws_have_the_moments_of_a_student_t(df: float) -> None:
    n = 200_000
    known = StudentT(torch.full((n,), 2.0), torch.full((n,), 0.5), torch.full((n,), df))
    x = known.draw(torch.Generator().manual_seed(0))
    assert x.mean().item() == pytest.approx(2.0, abs=0.01)
    inside = ((x - 2).abs() < 0.5).float().mean().item()
    truth = torch.distributions.StudentT(df)
    grid = torch.linspace(-1, 1, 2001)
    assert inside == pytest.approx(
        torch.trapezoid(truth.log_prob(grid).exp(), grid).item(), abs=5e-3
    )


def test_an_untrained_forecast_stays_where_the_series_was() -> None:
    model, past = build().eval(), walks(2)[:, :, :12]
    paths = model.paths(past, 400, 4, torch.Generator().manual_seed(0))
    spread = past.std(2, correction=0)
    assert ((paths.median(1).values[:, :, 0] - past[:, :, -1]).abs() < 0.2 * spread).all()


def test_a_trained_forecast_knows_a_process_and_how_sure_it_is() -> None:
    """x_t = 0.8 x_{t-1} + noise: the paths must hold what comes as often as they say."""
    shape = DataShape("series", (1, 12, 4), columns=COLUMNS[:1])
    model = build(shape, dropout=0)
    source = torch.Generator().manual_seed(5)
    x = torch.zeros(2000, 1, 16)
    for step in range(1, 16):
        x[:, :, step] = 0.8 * x[:, :, step - 1] + torch.randn(2000, 1, generator=source)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(150):
        picked = torch.randint(0, 1500, (64,), generator=source)
        optimizer.zero_grad()
        model.loss(batch_of(x[picked]))["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        found = model.eval().validation(batch_of(x[1500:]))
    assert found["crps"] < 0.8 * found["Naive/crps"]
    assert found["coverage/50"].item() == pytest.approx(0.5, abs=0.12)
    assert found["coverage/90"].item() == pytest.approx(0.9, abs=0.08)


def test_samples_begin_with_the_future_and_are_in_the_columns_units(tmp_path: Path) -> None:
    model = stirred()
    held = walks(40)
    model.observe(batch_of(held))
    assert torch.equal(model.kept[0], held[0])
    assert torch.equal(model.kept[-1], held[-1])
    request = SampleRequest(count=3, length=3)
    model.check(request)
    drawn = model.sample(request, torch.Generator().manual_seed(0)).forecasts
    assert drawn is not None
    assert drawn.paths.shape == (3, 100, 2, 3)
    assert drawn.future[0].isnan().all()
    torch.testing.assert_close(drawn.past[0, 0], 10 + 2 * held[-1, 0, 4:])
    torch.testing.assert_close(drawn.future[1, 1], 50 + 5 * model.kept[KEPT - 2, 1, 12:15])
    count = samples.write(tmp_path / "out", model.sample(request, torch.Generator()), request)
    assert count == 3
    with (tmp_path / "out" / "000.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["column"] for row in rows] == ["warmth"] * 3 + ["rain"] * 3
    assert all(float(row["q0.05"]) <= float(row["q0.50"]) <= float(row["q0.95"]) for row in rows)
    assert all(row["actual"] == "" for row in rows)
    with Image.open(tmp_path / "out" / "000.png") as picture:
        assert picture.size == (320, 320)
    assert (tmp_path / "out" / "grid.png").is_file()


def test_one_seed_one_forecast() -> None:
    model = stirred()
    model.observe(batch_of(walks(40)))

    def draw(seed: int) -> object:
        return model.sample(SampleRequest(count=2), torch.Generator().manual_seed(seed)).forecasts

    one, again, other = draw(1), draw(1), draw(2)
    assert same(one.paths, again.paths)  # pyright: ignore[reportAttributeAccessIssue]
    assert not same(one.paths, other.paths)  # pyright: ignore[reportAttributeAccessIssue]


def test_what_cannot_be_asked_or_built_is_refused() -> None:
    with pytest.raises(RequestError, match="length must be from 1 to the horizon 4, not 5"):
        build().check(SampleRequest(length=5))
    with pytest.raises(ConfigError, match="width 18 must be a multiple of 2 x heads 2"):
        build(width=18)
