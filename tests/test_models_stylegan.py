"""StyleGAN2: its convolutions against their definition, its styles, noise and truncation."""

import math

import pytest
import torch
from picture_batches import CLASSES, batch_of, check_turns, draw, pictures, stir, train
from torch import Tensor, nn
from torch.nn import functional as F

from backends.gan._equalised import (
    EqualConv,
    EqualLinear,
    doubled,
    halved,
    modulated,
    normalised,
    with_deviation,
)
from backends.gan._losses import RULES
from backends.gan.stylegan import StyleGAN
from backends.knobs import configure
from backends.model import DataShape, RequestError
from backends.records import SampleRequest

SMALL: dict[str, object] = {"latent": 6, "style": 8, "width": 4, "widest": 8}


def build(channels: int = 1, rows: int = 16, columns: int = 16, **knobs: object) -> StyleGAN:
    torch.manual_seed(0)
    shape = DataShape("image", (channels, rows, columns), CLASSES)
    return StyleGAN(configure(StyleGAN.Config, SMALL | knobs), shape)


# --------------------------------------------------------------------------- building blocks


def by_definition(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool) -> Tensor:
    """Karras 2020, eq. 1 and 3, one picture and one kernel after the other."""
    outputs = []
    for picture, s in zip(x, style, strict=True):
        own = weight * s[None, :, None, None]
        if demodulate:
            own = torch.stack([kernel / (kernel.square().sum() + 1e-8).sqrt() for kernel in own])
        outputs.append(F.conv2d(picture[None], own, padding=1))
    return torch.cat(outputs)


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_is_that_of_the_definition(demodulate: bool) -> None:
    torch.manual_seed(0)
    x, weight, style = torch.randn(3, 4, 6, 5), torch.randn(7, 4, 3, 3), torch.randn(3, 4)
    ours = modulated(x, weight, style, demodulate=demodulate)
    expected = by_definition(x, weight, style, demodulate)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_modulated_convolution_is_a_grouped_one() -> None:
    torch.manual_seed(0)
    x, weight, style = torch.randn(3, 4, 6, 6), torch.randn(5, 4, 3, 3), torch.randn(3, 4)
    own = weight[None] * style[:, None, :, None, None]  # [B, O, I, k, k]
    own = own * (own.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = F.conv2d(x.reshape(1, 12, 6, 6), own.flatten(0, 1), padding=1, groups=3)
    ours = modulated(x, weight, style)
    torch.testing.assert_close(ours, grouped.reshape(3, 5, 6, 6), rtol=1e-4, atol=1e-5)


def test_demodulation_keeps_the_variance_whatever_the_style() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(8, 16, 32, 32), torch.randn(16, 16, 3, 3)
    for scale in (0.01, 1.0, 100.0):
        inside = modulated(x, weight, scale * (1 + torch.rand(8, 16)))[:, :, 1:-1, 1:-1]
        assert inside.var().item() == pytest.approx(1, rel=0.05)


def test_equalised_layers_have_hes_scale_and_their_own_rate() -> None:
    torch.manual_seed(0)
    x = torch.randn(512, 64)
    for lr in (1.0, 0.01):
        layer = EqualLinear(64, 128, bias=0.5, lr=lr)
        outputs = layer(x)
        assert outputs.std().item() == pytest.approx(1, rel=0.05)
        assert layer.weight.std().item() == pytest.approx(1 / lr, rel=0.05)
        assert outputs.mean().item() == pytest.approx(0.5, abs=0.1)
    assert EqualConv(16, 16, 3)(torch.randn(4, 16, 16, 16)).std().item() == pytest.approx(
        1, rel=0.1
    )


def test_resizing_is_the_filter_of_the_paper() -> None:
    torch.manual_seed(0)
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = (row[:, None] * row)[None, None]
    x = torch.randn(2, 1, 8, 8)
    half = F.conv2d(x, kernel / 64, stride=2, padding=1)
    torch.testing.assert_close(halved(x)[:, :, 1:-1, 1:-1], half[:, :, 1:-1, 1:-1])
    spread = torch.zeros(2, 1, 16, 16)
    spread[:, :, ::2, ::2] = x
    twice = F.conv2d(F.pad(spread, (2, 1, 2, 1)), kernel / 16)
    torch.testing.assert_close(doubled(x)[:, :, 2:-2, 2:-2], twice[:, :, 2:-2, 2:-2])


def test_deviation_is_that_within_a_group() -> None:
    alike, unlike = torch.ones(4, 3, 2, 2), torch.ones(4, 3, 2, 2)
    unlike[::2] = -1  # a deviation of 1 everywhere
    planes = with_deviation(torch.cat([alike, unlike]))[:, 3]
    assert planes.shape == (8, 2, 2)
    assert planes[:4].max() < 1e-3
    torch.testing.assert_close(planes[4:], torch.ones(4, 2, 2))
    assert with_deviation(torch.ones(1, 3, 2, 2))[:, 3].max() < 1e-3


def test_normalised_vectors_have_mean_square_one() -> None:
    z = normalised(torch.randn(5, 16) * 7)
    torch.testing.assert_close(z.square().mean(1), torch.ones(5))


# --------------------------------------------------------------------------- the model


@pytest.mark.parametrize("size", [(1, 16, 16), (1, 28, 28), (3, 16, 24), (3, 64, 64)])
def test_sizes(size: tuple[int, int, int]) -> None:
    model = build(*size)
    check_turns(model, batch_of(pictures(4, *size)))
    assert draw(model).shape == (6, *size)
    assert draw(model).abs().max() <= 1


@pytest.mark.parametrize("loss", RULES)
def test_every_game(loss: str) -> None:
    model = build(loss=loss, spectral_norm=loss == "hinge", augment="diffaugment")
    check_turns(model, batch_of(pictures(8)))
    terms = model.discriminator_loss(batch_of(pictures(8)))
    assert ("r1" in terms, "r2" in terms) == (loss != "wasserstein", loss == "relativistic")


def test_bfloat16_stays_near_float32() -> None:
    model = stir(build())
    for phase in model.phases():
        exact = phase.loss(batch_of(pictures(8)))["loss"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = phase.loss(batch_of(pictures(8)))["loss"]
        loss.backward()
        assert loss.item() == pytest.approx(exact.item(), rel=0.1)


def test_mixed_pictures_have_the_styles_of_two_latents() -> None:
    batch, layers = batch_of(pictures(8)), build().G.synthesis.layers
    pure = build(mixing=0.0).styles(batch)
    assert pure.shape == (8, layers, 8)
    assert torch.equal(pure, pure[:, :1].expand_as(pure))
    for styles in build(mixing=1.0).styles(batch_of(pictures(8))):
        assert len(styles.unique(dim=0)) == 2
        changes = (styles[1:] != styles[:-1]).any(1).sum()
        assert changes == 1  # the second takes over once, and never in the first layer


def test_the_average_style_follows_each_class() -> None:
    model = build(mixing=0.0, style=8)
    with torch.no_grad():
        for step in range(900):
            model.styles(batch_of(pictures(1).expand(48, -1, -1, -1), seed=step))
        z = torch.randn(4000, 6)
        for label, centre in enumerate(model.centre):
            w = model.G.mapping(z, torch.full((4000,), label))
            assert (w.mean(0) - centre).norm() < 0.1 * w.norm(dim=1).mean()


def test_truncation_draws_towards_the_average_of_the_class() -> None:
    model = build()
    model.centre.normal_()
    w, y = torch.randn(3, 8), torch.tensor([2, 0, 2])
    middle = (w + model.centre[y]) / 2
    torch.testing.assert_close(model.truncated(w, y, 0.5), middle)
    torch.testing.assert_close(draw(model, truncation=1.0), draw(model))
    average = draw(model, truncation=0.0, labels=[1])  # noises begin with strength 0
    torch.testing.assert_close(average, average[:1].expand_as(average))
    assert not torch.allclose(draw(model, truncation=0.5), draw(model))


def test_noise_differs_by_picture_and_stands_still_in_a_walk() -> None:
    model = stir(build())
    still = draw(model, truncation=0.0, labels=[0])
    assert not torch.allclose(still[0], still[1])  # one style, different noise
    walk = draw(model, truncation=0.0, labels=[0], interpolate=True)
    torch.testing.assert_close(walk, walk[:1].expand_as(walk))


def test_a_walk_goes_straight_in_w() -> None:
    model = stir(build())
    seen: list[Tensor] = []
    model.G.synthesis.register_forward_pre_hook(lambda _, given: seen.append(given[0][:, 0]))
    draw(model, count=5, labels=[1], interpolate=True)
    (w,) = seen
    torch.testing.assert_close(w.diff(dim=0), (w[4:] - w[:1]).expand(4, -1) / 4)
    assert not torch.allclose(w[0], w[4])


def test_length_of_a_latent_does_not_matter_so_temperature_is_not_offered() -> None:
    mapping = build().G.mapping
    z, y = torch.randn(3, 6), torch.tensor([0, 1, 2])
    torch.testing.assert_close(mapping(z, y), mapping(5 * z, y), rtol=1e-3, atol=1e-4)
    with pytest.raises(RequestError):
        build().check(SampleRequest(temperature=0.5))


class Scaled(nn.Module):
    """A synthesis whose picture is 3 w: the length of its paths is known."""

    layers, sides = 4, ((1, 1),)

    def forward(self, ws: Tensor, noises: object) -> Tensor:
        return 3 * ws[:, 0].unflatten(1, (1, 4, 4))


def test_path_lengths_of_a_scaled_identity() -> None:
    model = build(style=16, penalty_share=1.0)
    model.G.synthesis = Scaled()  # pyright: ignore[reportAttributeAccessIssue]
    lengths = model.path_lengths(batch_of(pictures(1).expand(512, -1, -1, -1)))
    # |J' y|² = 9 |y|² / 16, y 16 normals, and the mean over four layers of which one matters
    assert lengths.square().mean().item() == pytest.approx(9 / 4, rel=0.1)


def test_path_length_regularisation_is_a_choice() -> None:
    model = build(path_length=2.0)
    check_turns(model, batch_of(pictures(8)))
    assert model.path_mean > 0
    assert "path_length" not in build().generator_loss(batch_of(pictures(8)))


def test_training_brings_its_pictures_near_the_data() -> None:
    model, x = build(width=8, widest=16), pictures(16)
    before = (draw(model, count=64).mean(0) - x.mean(0)).abs().mean()
    train(model, x, 40, lr=1e-2)
    after = (draw(model, count=64).mean(0) - x.mean(0)).abs().mean()
    assert after < 0.5 * before
    assert math.isfinite(after)
