"""Diffusion and flow models of pictures: what they learn, draw, fill in and enlarge."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from picture_batches import CLASSES, batch_of, draw, pictures, stir
from torch import Tensor, nn

from backends.diffusion._augment import HINTS, affine, augmented
from backends.diffusion._editing import blurred, fit, share_of_noise
from backends.diffusion._guidance import guided, hide_labels
from backends.diffusion._pictures import Pictures
from backends.diffusion._times import by_time, logit_normal
from backends.diffusion.ddpm import DDPM, denoised, signal
from backends.diffusion.dit import DiT
from backends.diffusion.edm import EDM, Preconditioning
from backends.diffusion.rectified_flow import RectifiedFlow
from backends.knobs import ConfigError, configure
from backends.model import INPUTS, DataShape, RequestError
from backends.nets import dit
from backends.nets.blocks import CrossAttention
from backends.nets.unet import UNet
from backends.records import SampleRequest

SMALL = {"width": 8, "sampler_steps": 3}
TINY: dict[str, tuple[type[Pictures], dict[str, object]]] = {
    "flow": (RectifiedFlow, {**SMALL, "sampler": "midpoint"}),
    "ddpm": (DDPM, SMALL),
    "ddpm ancestral": (DDPM, {**SMALL, "sampler": "ancestral", "prediction": "epsilon"}),
    "edm": (EDM, {**SMALL, "augment": 0.5}),
    "edm dpm": (EDM, {**SMALL, "sampler": "dpm", "blocks": 2, "attention": True}),
    "dit": (DiT, {**SMALL, "width": 16, "heads": 2, "layers": 2}),
}
every_model = pytest.mark.parametrize("name", TINY)


@pytest.fixture(autouse=True)
def _one_thread_and_seed():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def build(name: str, size: int = 16, channels: int = 1, **knobs: object) -> Pictures:
    model, config = TINY[name]
    shape = DataShape("image", (channels, size, size), CLASSES)
    return model(configure(model.Config, config | knobs), shape)


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def edited(model: Pictures, image: Tensor, mask: Tensor | None = None, **asked: object) -> Tensor:
    given = {"image": "a.png", **({} if mask is None else {"mask": "m.png"})}
    request = SampleRequest(**{"count": 4, **given, **asked})  # pyright: ignore[reportArgumentType]
    model.check(request)
    with torch.no_grad():
        images = model.eval().edit(request, noise(), image, mask).images
    assert images is not None
    return images


def stirred(name: str, **knobs: object) -> Pictures:
    model = build(name, **knobs)
    stir(model)
    return model


# --------------------------------------------------------------------------- every model


@every_model
@pytest.mark.parametrize(("size", "channels"), [(16, 3), (28, 1), (32, 1)])
def test_losses_are_finite_and_reach_every_weight(name: str, size: int, channels: int) -> None:
    model = build(name, size, channels)
    losses = model.loss(batch_of(pictures(4, channels, size, size)))
    assert all(term.shape == () and term.isfinite() for term in losses.values())
    losses["loss"].backward()
    for weight, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{weight} gets no gradient"
        assert parameter.grad.isfinite().all()
    images = draw(model)
    assert images.shape == (6, channels, size, size)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1


@every_model
def test_oblong_pictures_without_labels(name: str) -> None:
    model, config = TINY[name]
    built = model(configure(model.Config, config), DataShape("image", (3, 16, 24)))
    x = torch.rand(4, 3, 16, 24) * 2 - 1
    assert built.loss(batch_of(x, labelled=False))["loss"].isfinite()
    assert draw(built, count=2).shape == (2, 3, 16, 24)


@every_model
def test_one_seed_one_picture_and_one_loss(name: str) -> None:
    model, x = stirred(name), pictures(8)
    assert torch.equal(draw(model), draw(model))
    model.train()
    first, second, other = (model.loss(batch_of(x, seed=seed))["loss"] for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@every_model
def test_drawing_and_validating_change_nothing(name: str) -> None:
    model = stirred(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    draw(model)
    with torch.no_grad():
        terms = model.validation(batch_of(pictures(6)))
    assert all(term.isfinite() for term in terms.values())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@every_model
def test_labels_decide_what_is_drawn(name: str) -> None:
    model = stirred(name)
    assert not torch.allclose(draw(model, labels=[0]), draw(model, labels=[1]))
    if "ancestral" not in name:  # there the noise of the steps is drawn for all at once
        assert torch.equal(draw(model, count=3)[2], draw(model, count=3, labels=[0, 1, 2])[2])


@every_model
def test_conditional_is_a_choice(name: str) -> None:
    model = build(name, conditional=False)
    assert model.loss(batch_of(pictures(4)))["loss"].isfinite()
    assert list(model.eval().sample(SampleRequest(count=2), noise()).labels) == []
    with pytest.raises(RequestError):
        model.check(SampleRequest(labels=[1]))


@every_model
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bfloat16_stays_near_float32(name: str, layout: torch.memory_format) -> None:
    model = stirred(name).to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    x = pictures(8).contiguous(memory_format=layout)
    exact = model.loss(batch_of(x))["loss"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.loss(batch_of(x))["loss"]
        assert draw(model, count=2).dtype == torch.float32
    assert loss.dtype == torch.float32
    loss.backward()
    assert loss.item() == pytest.approx(exact.item(), rel=0.1)


@every_model
@pytest.mark.parametrize("size", [(1, 12, 12), (1, 132, 132), (1, 16, 30), (2, 16, 16)])
def test_what_cannot_be_built_is_said_in_one_sentence(name: str, size: tuple[int, ...]) -> None:
    model, config = TINY[name]
    with pytest.raises(ConfigError) as error:
        model(configure(model.Config, config), DataShape("image", size))
    assert "\n" not in str(error.value)


@every_model
def test_training_lowers_the_loss(name: str) -> None:
    model, x = build(name), pictures(16)
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    losses = []
    for step in range(36):
        optimizer.zero_grad()
        loss = model.loss(batch_of(x, seed=step))["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


@every_model
def test_fewer_steps_can_be_asked_for_and_guidance(name: str) -> None:
    model = stirred(name)
    usual = draw(model)
    assert not torch.equal(usual, draw(model, steps=2))
    assert not torch.equal(usual, draw(model, guidance=4.0))
    with pytest.raises(RequestError):
        model.check(SampleRequest(temperature=0.5))


# --------------------------------------------------------------------------- Gaussian data


class Best(nn.Module):
    """The best network there is for pictures whose pixels are N(0, std²)."""

    def __init__(self, answer: Callable[[Tensor, float], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.register_parameter("place", nn.Parameter(torch.zeros(())))

    def forward(self, x: Tensor, t: Tensor, *_: Tensor | None, **__: Tensor | None) -> Tensor:
        return self.answer(x, t[0].item())


def best_flow(std: float) -> Callable[[Tensor, float], Tensor]:
    def velocity(x: Tensor, t: float) -> Tensor:  # E[x - noise | x_t]
        return (t * std**2 - (1 - t)) / (t**2 * std**2 + (1 - t) ** 2) * x

    return velocity


def best_ddpm(
    std: float, prediction: str, levels: list[float]
) -> Callable[[Tensor, float], Tensor]:
    def answer(x: Tensor, t: float) -> Tensor:
        alpha_bar = levels[round(t * (len(levels) - 1))]
        alpha, sigma = math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)
        total = alpha**2 * std**2 + sigma**2
        picture, noise = alpha * std**2 / total * x, sigma / total * x
        return {"x": picture, "epsilon": noise, "v": alpha * noise - sigma * picture}[prediction]

    return answer


def best_edm(x: Tensor, t: float) -> Tensor:
    """F is 0 where sigma_data is right: c_skip alone is the best denoiser."""
    return torch.zeros_like(x)


def spread_of(model: Pictures, std: float, steps: int = 200) -> float:
    size = (64, *model.shape.size)
    source = noise()
    times = model.times(steps, 1.0)
    x = model.path(times[0])[1] * torch.randn(*size, generator=source)
    field = model.guided(None, None, 1.0)
    return model.solve(field, x, times, source, lambda x, t: x).std().item()


@pytest.mark.parametrize("sampler", ["euler", "midpoint", "heun"])
def test_the_best_velocity_brings_back_the_spread_of_gaussian_data(sampler: str) -> None:
    model = build("flow", sampler=sampler)
    model.net = Best(best_flow(0.4))
    assert spread_of(model, 0.4) == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize("prediction", ["epsilon", "v", "x"])
@pytest.mark.parametrize("sampler", ["ddim", "ancestral", "dpm"])
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_best_prediction_brings_back_the_spread_of_gaussian_data(
    prediction: str, sampler: str, schedule: str
) -> None:
    knobs = {"prediction": prediction, "sampler": sampler, "noise_schedule": schedule}
    model = build("ddpm", clip=False, eta=0.5, **knobs)
    assert isinstance(model, DDPM)
    model.net = Best(best_ddpm(0.4, prediction, model.levels))
    assert spread_of(model, 0.4, steps=1000) == pytest.approx(0.4, rel=0.03)


@pytest.mark.parametrize("knobs", [{}, {"churn": 20.0}, {"sampler": "dpm"}], ids=str)
def test_the_best_denoiser_brings_back_the_spread_of_gaussian_data(
    knobs: dict[str, object],
) -> None:
    model = build("edm", sigma_data=0.4, **knobs)
    model.net = Best(best_edm)
    assert spread_of(model, 0.4) == pytest.approx(0.4, rel=0.02)


# --------------------------------------------------------------------------- guidance


def test_guidance_extrapolates_from_free_to_told() -> None:
    def net(x: Tensor, t: float, y: Tensor) -> Tensor:
        return x * t + y[:, None]

    x, told, free = torch.randn(2, 3), torch.tensor([1.0, 2.0]), torch.tensor([5.0, 5.0])
    for scale in (0.0, 1.0, 3.0):
        field = guided(net, (told,), (free,), scale)
        expected = net(x, 0.5, free) + scale * (net(x, 0.5, told) - net(x, 0.5, free))
        torch.testing.assert_close(field(x, 0.5), expected)


def test_guidance_may_apply_in_a_part_of_the_way() -> None:
    model = stirred("flow", guidance=3.0, guidance_from=0.8, guidance_to=0.2)
    x, y = torch.randn(2, 1, 16, 16), torch.tensor([0, 2])
    usual, plain = model.guided(y, None, None), model.guided(y, None, 1.0)
    with torch.no_grad():
        for t in (0.1, 0.9):  # shares of noise: 0.9 and 0.1
            assert torch.equal(usual(x, t), plain(x, t))
        assert not torch.allclose(usual(x, 0.5), plain(x, 0.5))


@every_model
def test_guidance_1_is_none_and_guides_what_the_solver_asks_for(name: str) -> None:
    model = stirred(name)
    x, y, none = torch.randn(2, 1, 16, 16), torch.tensor([0, 2]), torch.tensor([3, 3])
    t = model.times(8, 1.0)[3]
    with torch.no_grad():
        told, free = model.field(x, t, y, None), model.field(x, t, none, None)
        assert torch.equal(model.guided(y, None, 1.0)(x, t), told)
        guided = model.guided(y, None, 3.0)(x, t)
    torch.testing.assert_close(guided, free + 3 * (told - free), rtol=1e-4, atol=1e-4)


def test_a_share_of_labels_is_hidden() -> None:
    batch = batch_of(torch.zeros(1000, 1))
    assert batch.y is not None
    assert torch.equal(hide_labels(batch, 0.0, 3), batch.y)  # pyright: ignore[reportArgumentType]
    assert (hide_labels(batch, 1.0, 3) == 3).all()  # pyright: ignore[reportAttributeAccessIssue]
    some = hide_labels(batch, 0.3, 3)
    assert some is not None
    assert (some == 3).float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert ((some == 3) | (some == batch.y)).all()
    assert hide_labels(batch, 0.3, 0) is None


def test_labels_are_hidden_in_training_alone() -> None:
    model = build("flow", label_dropout=1.0)
    batch = batch_of(pictures(6))
    assert (model.train().conditions(batch)[0] == 3).all()  # pyright: ignore
    assert torch.equal(model.eval().conditions(batch)[0], batch.y)  # pyright: ignore


# --------------------------------------------------------------------------- editing


@every_model
def test_strength_0_gives_the_picture_back(name: str) -> None:
    image = pictures(1)
    assert torch.equal(edited(stirred(name), image, strength=0.0), image.expand(4, -1, -1, -1))


@every_model
def test_the_less_strength_the_nearer_to_the_picture(name: str) -> None:
    model, image = build(name), pictures(1)
    distances = [
        (edited(model, image, strength=strength) - image).square().mean().item()
        for strength in (0.01, 0.2, 0.6)
    ]
    assert distances == sorted(distances)
    assert distances[0] < 1e-3


@every_model
def test_what_is_not_masked_is_kept_exactly(name: str) -> None:
    model, image = stirred(name), pictures(1)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 1
    drawn = edited(model, image, mask)
    assert torch.equal(drawn[..., :8], image[..., :8].expand(4, -1, -1, -1))
    assert not torch.allclose(drawn[0, ..., 8:], image[0, ..., 8:], atol=0.05)
    assert not torch.allclose(drawn[0], drawn[3])
    assert torch.equal(edited(model, image, torch.zeros_like(mask)), image.expand(4, -1, -1, -1))


def test_inpainting_fits_to_what_is_kept() -> None:
    """Pictures of one tone each, N(0, 0.4²): half of one is told, the other must be like it."""

    def velocity(x: Tensor, t: float) -> Tensor:
        t = min(max(t, 1e-3), 1 - 1e-3)
        spread = (1 - t) ** 2 / 256  # of the mean of the noise
        tone = t * 0.16 / (t**2 * 0.16 + spread) * x.mean((1, 2, 3), keepdim=True)
        return (tone - x) / (1 - t)

    model = build("flow", sampler="euler", sampler_steps=200)
    model.net = Best(velocity)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 8:] = 1
    for tone in (-0.5, 0.5):
        drawn = edited(model, torch.full((1, 1, 16, 16), tone), mask, labels=[0], guidance=1.0)
        assert ((drawn[..., 8:] / tone).mean((1, 2, 3)) > 0.5).all()


@every_model
def test_pictures_of_other_sizes_are_cut_and_resized(name: str) -> None:
    image = torch.full((1, 1, 40, 64), -1.0)
    image[..., 12:52] = 0.5  # the middle square
    drawn = edited(build(name), image, strength=0.0)
    torch.testing.assert_close(drawn, torch.full((4, 1, 16, 16), 0.5))


def test_fitting_keeps_what_fits() -> None:
    x = torch.rand(2, 1, 16, 12)
    assert fit(x, 16, 12) is x
    assert fit(x, 8, 4).shape == (2, 1, 8, 4)
    assert fit(torch.rand(1, 1, 5, 500), 16, 16).shape == (1, 1, 16, 16)


def test_strength_without_a_picture_is_refused() -> None:
    with pytest.raises(RequestError, match="image"):
        draw(build("flow"), strength=0.5)


@every_model
def test_strength_is_the_share_of_noise_that_one_begins_with(name: str) -> None:
    model = build(name)
    for share in (0.1, 0.5, 0.8):
        times = model.times(10, share)
        assert share_of_noise(model.path, times[0]) == pytest.approx(share, abs=0.01)
        assert model.path(times[-1]) == (1, 0)
        assert len(times) == 11


# --------------------------------------------------------------------------- super-resolution


@every_model
def test_enlarging_sees_the_small_picture(name: str) -> None:
    model = stirred(name, upscale=4)
    x = pictures(5)
    model.loss(batch_of(x))["loss"].backward()
    model.observe(batch_of(x))
    first = draw(model)
    assert torch.equal(model.held[:5], blurred(x, 4))
    assert torch.equal(model.held[5:10], blurred(x, 4))  # as many as there are, over and over
    model.observe(batch_of(x.flip(-1)))
    assert not torch.allclose(first, draw(model))
    small = torch.rand(1, 1, 4, 4) * 2 - 1
    assert edited(model, small).shape == (4, 1, 16, 16)
    assert not torch.allclose(edited(model, small), edited(model, -small))


@every_model
def test_what_is_enlarged_is_kept_in_the_checkpoint(name: str) -> None:
    model, other = stirred(name, upscale=2), build(name, upscale=2)
    model.observe(batch_of(pictures(3)))
    other.load_state_dict(model.state_dict())
    assert model.held.shape == (INPUTS, 1, 16, 16)
    assert torch.equal(draw(other), draw(model))


def test_enlarging_asks_for_a_picture_and_for_no_mask() -> None:
    model = build("edm", upscale=2)
    with pytest.raises(RequestError, match="mask"):
        model.check(SampleRequest(image="a.png", mask="m.png"))
    with pytest.raises(ConfigError, match="upscale 3"):
        build("edm", upscale=3)
    with pytest.raises(RequestError):
        build("edm").check(SampleRequest(mask="m.png"))


def test_enlarged_pictures_bring_their_own_labels() -> None:
    model = build("flow", upscale=2)
    model.observe(batch_of(pictures(5)))
    drawn = model.eval().sample(SampleRequest(count=7), noise())
    assert list(drawn.labels) == [0, 1, 2, 0, 1, 0, 1]
    asked = model.eval().sample(SampleRequest(count=3, labels=[2]), noise())
    assert list(asked.labels) == [2, 2, 2]


def test_blurring_keeps_the_mean_and_takes_the_details() -> None:
    x = torch.full((1, 1, 16, 16), 0.25)
    torch.testing.assert_close(blurred(x, 4), x)
    checkers = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    assert blurred(checkers[None, None], 4).abs().max() < 0.1


# --------------------------------------------------------------------------- flow


def test_untrained_flow_knows_nothing() -> None:
    model, x = build("flow"), pictures(512)
    noise_and_data = 1 + x.square().mean()
    assert model.loss(batch_of(x))["loss"].item() == pytest.approx(noise_and_data.item(), rel=0.02)


def test_times_are_logit_normal() -> None:
    logits = torch.logit(logit_normal(batch_of(torch.zeros(4096, 1)), 0.5, 0.8))
    assert logits.mean().item() == pytest.approx(0.5, abs=0.01)
    assert logits.std().item() == pytest.approx(0.8, abs=0.01)


def test_errors_by_time() -> None:
    terms = by_time(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0.1, 0.2, 0.9]))
    names = ["0.00-0.25", "0.25-0.50", "0.50-0.75", "0.75-1.00"]
    assert list(terms) == [f"loss_t/{name}" for name in names]
    assert [term.item() for term in terms.values()] == [2, 3, 3, 5]  # empty: the overall mean


def test_straightness_is_zero_for_straight_lines_alone() -> None:
    model = build("flow")
    model.net = Best(lambda x, t: torch.ones_like(x))
    assert model.validation(batch_of(pictures(4)))["straightness"].item() == 0
    model.net = Best(lambda x, t: torch.full_like(x, 2 * t))  # Z_t = Z_0 + t²
    straightness = model.validation(batch_of(pictures(4)))["straightness"].item()
    assert straightness == pytest.approx(1 / 3, rel=0.02)  # int (1 - 2t)² dt, by Euler


# --------------------------------------------------------------------------- DDPM


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("T", [2, 10, 1000, 4000])
def test_the_signal_falls_from_all_to_nearly_nothing(schedule: str, T: int) -> None:
    levels = signal(schedule, T)
    assert len(levels) == T + 1
    assert levels[0] == 1
    assert all(after < before for before, after in pairwise(levels))
    assert 0 < levels[-1] < 1e-2


def test_ho_s_schedule_is_the_published_one() -> None:
    assert signal("linear", 1000)[1] == pytest.approx(1 - 1e-4)
    assert signal("linear", 1000)[-1] == pytest.approx(4.036e-5, rel=1e-3)


@pytest.mark.parametrize("prediction", ["epsilon", "v", "x"])
def test_predictions_are_the_picture_in_other_words(prediction: str) -> None:
    model = build("ddpm", prediction=prediction)
    assert isinstance(model, DDPM)
    x, noise = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2)
    alpha, sigma = torch.tensor(0.6), torch.tensor(0.8)
    said = model.target(x, noise, alpha, sigma)
    x_t = alpha * x + sigma * noise
    torch.testing.assert_close(denoised(prediction, said, x_t, 0.6, 0.8), x)  # pyright: ignore


def test_min_snr_weighs_the_error_of_the_picture() -> None:
    alpha_bar = torch.tensor([0.1, 0.5, 0.99])
    snr = alpha_bar / (1 - alpha_bar)
    scale = {"x": torch.ones(3), "epsilon": 1 / snr, "v": 1 / (snr + 1)}  # of errors in x
    for prediction, factor in scale.items():
        model = build("ddpm", prediction=prediction, weighting="min_snr")
        assert isinstance(model, DDPM)
        torch.testing.assert_close(model.weight(alpha_bar) / factor, snr.clamp(max=5))
    plain = build("ddpm")
    assert isinstance(plain, DDPM)
    assert plain.weight(alpha_bar).tolist() == [1, 1, 1]


def test_every_timestep_is_trained_and_none_twice_as_often() -> None:
    model = build("ddpm", timesteps=8)
    seen: list[Tensor] = []
    model.net = Best(lambda x, t: torch.zeros_like(x))
    model.net.forward = lambda x, t, *_: seen.append(t) or torch.zeros_like(x)  # pyright: ignore
    model.loss(batch_of(pictures(16)))
    assert (seen[0] * 8).sort().values.tolist() == [t for t in range(1, 9) for _ in range(2)]


def test_timesteps_at_equal_distances() -> None:
    model = build("ddpm")
    assert model.times(4, 1.0) == [1000, 750, 500, 250, 0]
    assert model.times(5000, 1.0) == list(range(1000, -1, -1))
    assert build("ddpm", timesteps=2).times(24, 1.0) == [2, 1, 0]


# --------------------------------------------------------------------------- EDM


def test_preconditioning_makes_all_levels_alike() -> None:
    """Karras 2022, appendix B.6: inputs and targets of variance 1, and the least c_out."""
    sigma, std = torch.logspace(-2.5, 2, 20), 0.5
    c = Preconditioning.of(sigma, std)
    torch.testing.assert_close(c.inner**2 * (sigma**2 + std**2), torch.ones(20))
    torch.testing.assert_close(c.out**2, (1 - c.skip) ** 2 * std**2 + c.skip**2 * sigma**2)


def test_untrained_denoiser_errs_by_1_at_every_level() -> None:
    model = build("edm", augment=0.0)
    x = 0.5 * torch.randn(512, 1, 16, 16)
    terms = model.loss(batch_of(x))
    assert all(term.item() == pytest.approx(1, abs=0.05) for term in terms.values())


def test_noise_levels_fall_as_published() -> None:
    sigmas = build("edm").times(18, 1.0)
    assert sigmas[0] == pytest.approx(80)
    assert sigmas[-2:] == [pytest.approx(0.002), 0]
    middle = (80 ** (1 / 7) + 5 / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    assert sigmas[5] == pytest.approx(middle)
    assert list(sigmas) == sorted(sigmas, reverse=True)
    assert build("edm").times(1, 1.0) == [pytest.approx(80), 0]


def test_levels_that_cross_are_refused() -> None:
    with pytest.raises(ConfigError, match="sigma_min"):
        build("edm", sigma_min=1.0, sigma_max=1.0)


def test_augmentation_tells_what_it_did() -> None:
    batch = batch_of(pictures(64))
    same, nothing = augmented(batch, 0.0)
    assert torch.equal(same, batch.x)
    assert not nothing.any()
    x, hints = augmented(batch, 0.5)
    assert x.shape == batch.x.shape
    assert hints.shape == (64, HINTS)
    touched = hints.abs().amax(1) > 0
    assert torch.equal(x[~touched], batch.x[~touched])
    assert 0 < touched.float().mean() < 1


def test_augmentation_moves_pictures_as_it_says() -> None:
    none, no_shift = torch.zeros(1), torch.zeros(2, 1)
    identity = torch.eye(2, 3)[None]
    torch.testing.assert_close(affine(none, none, none, no_shift), identity)
    mirrored = affine(torch.ones(1), none, none, no_shift)
    torch.testing.assert_close(mirrored, torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]]))
    twice = affine(none, none, torch.ones(1), no_shift)
    torch.testing.assert_close(twice, 0.5 * identity)


def test_what_is_drawn_is_not_augmented() -> None:
    """A net that answers by its hints alone is told nothing when it draws."""
    model = build("edm")
    assert isinstance(model.net, UNet)
    assert model.net.hint is not None
    before = draw(model)
    nn.init.normal_(model.net.hint.weight)
    assert torch.equal(draw(model), before)


# --------------------------------------------------------------------------- nets


def test_nets_begin_at_zero() -> None:
    x, t, y = torch.randn(2, 3, 16, 16), torch.rand(2), torch.tensor([0, 2])
    assert not UNet(3, base=8, classes=2)(x, t, y).any()
    net = dit.DiT(3, (16, 16), patch=4, width=16, layers=1, heads=2, classes=2)
    assert not net(x, t, y).any()


def test_patches_and_back() -> None:
    x = torch.randn(2, 3, 8, 12)
    tokens = dit.patches(x, 4)
    assert tokens.shape == (2, 6, 48)
    assert torch.equal(dit.picture(tokens, 4, (2, 3)), x)
    assert torch.equal(tokens[0, 1].view(3, 4, 4), x[0, :, :4, 4:8])


def test_every_place_has_its_own_sines() -> None:
    places = dit.sines(7, 5, 16)
    assert places.shape == (35, 16)
    assert len({tuple(row) for row in places.tolist()}) == 35
    torch.testing.assert_close(places[3, 8:], places[8, 8:])  # column 3 of two rows
    torch.testing.assert_close(places[0], torch.tensor(([0.0] * 4 + [1.0] * 4) * 2))


def test_a_width_that_does_not_fit_is_said_with_one_that_does() -> None:
    with pytest.raises(ConfigError, match="make it 96"):
        build("dit", width=100, heads=4 * 2)


def test_attention_to_a_text_ignores_what_is_padded() -> None:
    look = CrossAttention(8, 12)
    stir(look)
    x, tokens = torch.randn(2, 8, 4, 4), torch.randn(2, 5, 12)
    mask = torch.tensor([[True, True, False, False, False], [False] * 5])
    seen = look(x, tokens, mask)
    other = tokens.clone()
    other[0, 2:], other[1] = 9.0, -9.0
    torch.testing.assert_close(look(x, other, mask), seen)
    torch.testing.assert_close(look(x[:1], tokens[:1, :2]), seen[:1])
    other[0, 0] = 9.0
    assert not torch.allclose(look(x, other, mask)[0], seen[0])


def test_a_unet_with_a_text_and_a_picture_beside() -> None:
    net = UNet(1, extra=2, base=8, levels=2, blocks=2, context=12)
    stir(net)
    x, t, beside = torch.randn(2, 1, 16, 16), torch.rand(2), torch.randn(2, 2, 16, 16)
    tokens, mask = torch.randn(2, 3, 12), torch.ones(2, 3, dtype=torch.bool)
    out = net(x, t, extra=beside, context=tokens, mask=mask)
    assert out.shape == x.shape
    assert not torch.allclose(net(x, t, extra=beside, context=-tokens, mask=mask), out)
    assert not torch.allclose(net(x, t, extra=-beside, context=tokens, mask=mask), out)
