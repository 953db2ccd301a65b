"""Super-resolution: it begins as bicubic, and its scores are those of closed forms."""

import math

import pytest
import torch
from picture_batches import batch_of, check_turns, draw, pictures, stir, train
from torch import Tensor
from torch.nn import functional as F

from backends.gan._losses import RULES
from backends.gan.super_resolution import MOST_PIXELS, SuperResolution
from backends.knobs import ConfigError, configure
from backends.metrics.likeness import psnr, ssim
from backends.model import INPUTS, DataShape, RequestError
from backends.records import SampleRequest

SMALL: dict[str, object] = {"width": 4, "growth": 2, "blocks": 1, "judge_width": 4}


def build(channels: int = 1, rows: int = 16, columns: int = 16, **knobs: object) -> SuperResolution:
    torch.manual_seed(0)
    shape = DataShape("image", (channels, rows, columns))
    return SuperResolution(configure(SuperResolution.Config, SMALL | knobs), shape)


def edited(model: SuperResolution, picture: Tensor) -> Tensor:
    with torch.no_grad():
        found = model.eval().edit(SampleRequest(), torch.Generator(), picture, None).images
    assert found is not None
    return found


# --------------------------------------------------------------------------- scores


@pytest.mark.parametrize("error", [2.0, 0.5, 1 / 127.5])
def test_psnr_of_a_constant_error(error: float) -> None:
    x = torch.zeros(2, 3, 8, 8)
    value = psnr(x + error, x)
    torch.testing.assert_close(value, torch.full((2,), 20 * math.log10(2 / error)))
    assert psnr(x, x).tolist() == [100, 100]


def test_ssim_of_plain_pictures_compares_their_brightness() -> None:
    a, b = 0.8, 0.3
    c1 = (0.01 * 2) ** 2
    value = ssim(torch.full((1, 1, 16, 16), a), torch.full((1, 1, 16, 16), b))
    assert value.item() == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), rel=1e-3)


def test_ssim_of_one_window_is_the_formula() -> None:
    torch.manual_seed(0)
    x, y = torch.rand(2, 1, 1, 11, 11).double() * 2 - 1
    place = torch.arange(11) - 5
    row = torch.exp(-(place**2) / (2 * 1.5**2)).double()
    weights = row[:, None] * row / row.sum() ** 2
    mean_x, mean_y = (weights * x[0, 0]).sum(), (weights * y[0, 0]).sum()
    dx, dy = x[0, 0] - mean_x, y[0, 0] - mean_y
    var_x, var_y, cov = ((weights * p).sum() for p in (dx * dx, dy * dy, dx * dy))
    c1, c2 = 0.02**2, 0.06**2
    expected = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    expected /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    assert ssim(x, y).item() == pytest.approx(expected.item(), rel=1e-4)
    assert ssim(x, x).item() == pytest.approx(1)


# --------------------------------------------------------------------------- the model


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_begins_as_bicubic(scale: int, channels: int) -> None:
    model = build(channels, 16, 24, scale=scale)
    x = pictures(4, channels, 16, 24)
    small = model.shrunk(x)
    assert small.shape == (4, channels, 16 // scale, 24 // scale)
    bicubic = F.interpolate(small, scale_factor=scale, mode="bicubic")
    assert torch.equal(model.G(small), bicubic)
    with torch.no_grad():
        terms = model.eval().validation(batch_of(x))
    for name in ("psnr", "ssim", "sharpness"):
        assert terms[name] == terms[f"Bicubic/{name}"]
    assert terms["Nearest/psnr"] == psnr(F.interpolate(small, scale_factor=scale), x).mean()


@pytest.mark.parametrize("shrink", ["bicubic", "area"])
def test_shrinking_keeps_the_brightness_and_does_not_alias(shrink: str) -> None:
    model = build(shrink=shrink)
    torch.testing.assert_close(model.shrunk(torch.full((1, 1, 16, 16), 0.3)).mean().item(), 0.3)
    stripes = torch.ones(1, 1, 16, 16)
    stripes[..., ::2] = -1
    assert model.shrunk(stripes)[..., 2:-2].abs().max() < 0.1


@pytest.mark.parametrize("loss", RULES)
def test_every_game_once_it_is_played(loss: str) -> None:
    model = build(loss=loss, spectral_norm=loss == "hinge")
    check_turns(model, batch_of(pictures(4), progress=0.9))
    terms = model.generator_loss(batch_of(pictures(4), progress=0.9))
    assert {"content", "features", "adversarial", "psnr"} <= set(terms)


def test_content_alone_comes_first() -> None:
    model, batch = stir(build(pretrain=0.6, content=3.0)), batch_of(pictures(4), progress=0.59)
    check_turns(model, batch)
    assert not any(p.grad.any() for p in model.D.parameters() if p.grad is not None)
    loss = model.generator_loss(batch)["loss"]
    error = (model.G(model.shrunk(batch.x)) - batch.x).abs().mean()
    torch.testing.assert_close(loss, 3 * error)


def test_samples_are_held_out_pictures_in_rows() -> None:
    model, x = build(), pictures(5)
    model.observe(batch_of(x))
    assert model.held.shape == (INPUTS, 1, 16, 16)
    rows = draw(model, count=70)
    assert rows.shape == (70, 1, 16, 64)
    small, bicubic, ours, real = rows.chunk(4, dim=3)
    assert all((real == one).flatten(1).all(1).any() for one in x)
    shrunk = model.shrunk(real)
    assert torch.equal(small, F.interpolate(shrunk, scale_factor=2))
    assert torch.equal(ours, bicubic)
    assert torch.equal(rows, draw(model, count=70))
    assert not torch.equal(rows, draw(model, count=70, seed=1))


def test_any_picture_can_be_enlarged() -> None:
    model = stir(build(3, scale=4))
    assert edited(model, torch.zeros(1, 3, 9, 33)).shape == (1, 3, 36, 132)


def test_enlarging_a_part_is_a_part_of_enlarging() -> None:
    model = stir(build())
    picture = pictures(1, 1, 48, 48)
    whole, part = edited(model, picture), edited(model, picture[:, :, :, 8:40])
    torch.testing.assert_close(whole[..., 40:56], part[..., 24:40], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ConfigError, match="scale that divides both sides"):
        build(1, 28, 28, scale=3)
    side = math.isqrt(MOST_PIXELS) + 1
    with pytest.raises(RequestError, match="cut it into parts"):
        edited(build(), torch.zeros(1, 1, 1, 1).expand(1, 1, side, side))
    with pytest.raises(RequestError, match="cannot be asked for labels"):
        build().check(SampleRequest(labels=[0]))


def test_training_beats_bicubic_on_what_it_has_seen() -> None:
    model, x = build(width=16, pretrain=1.0), pictures(16)
    train(model, x, 150, lr=5e-3)
    with torch.no_grad():
        terms = model.eval().validation(batch_of(x))
    assert terms["psnr"] > terms["Bicubic/psnr"] + 0.5
