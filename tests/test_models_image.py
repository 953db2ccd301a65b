"""The image generators: shapes, gradients, determinism, and the mathematics they claim."""

import math

import pytest
import torch
from picture_batches import CLASSES, batch_of, draw, pictures, stir
from torch import Tensor

from backends.diffusion.rectified_flow import RectifiedFlow
from backends.gan.dcgan import DCGAN
from backends.knobs import ConfigError, configure
from backends.model import DataShape, Model, RequestError
from backends.nets.blocks import Attention, ResBlock, chunks, halvings
from backends.nets.logistic import discretised_logistic
from backends.nets.unet import UNet
from backends.records import SampleRequest
from backends.vae._bound import kl_of_units
from backends.vae._prior import Memory
from backends.vae.conv import ConvVAE

TINY: dict[str, tuple[type[Model], dict[str, object]]] = {
    "vae bernoulli": (ConvVAE, {"width": 4, "latent": 6}),
    "vae logistic": (ConvVAE, {"width": 4, "latent": 6, "likelihood": "logistic"}),
    "dcgan relativistic": (DCGAN, {"width": 4, "latent": 6}),
    "dcgan non_saturating": (DCGAN, {"width": 4, "latent": 6, "loss": "non_saturating"}),
    "flow heun": (RectifiedFlow, {"width": 8, "sampler": "heun", "sampler_steps": 2}),
    "flow euler": (RectifiedFlow, {"width": 8, "sampler_steps": 4, "attention": True}),
}
every_model = pytest.mark.parametrize("name", TINY)


@pytest.fixture(autouse=True)
def _one_thread_and_seed():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def build(name: str, size: int = 16, channels: int = 1, **knobs: object) -> Model:
    model, config = TINY[name]
    shape = DataShape("image", (channels, size, size), CLASSES)
    return model(configure(model.Config, config | knobs), shape)


def train(model: Model, x: Tensor, steps: int, lr: float = 3e-3) -> dict[str, list[float]]:
    """The losses of every phase under plain Adam, always on ``x``."""
    phases = model.phases()
    optimizers = [torch.optim.Adam(phase.module.parameters(), lr) for phase in phases]
    history: dict[str, list[float]] = {phase.name: [] for phase in phases}
    for step in range(steps):
        for phase, optimizer in zip(phases, optimizers, strict=True):
            model.requires_grad_(False)
            phase.module.requires_grad_(True)
            loss = phase.loss(batch_of(x, seed=step))["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history[phase.name].append(loss.item())
    return history


# --------------------------------------------------------------------------- every model


@every_model
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 28, 32, 64])
def test_losses_are_finite_and_reach_every_weight(name: str, size: int, channels: int) -> None:
    model = build(name, size, channels)
    for phase in model.phases():
        model.requires_grad_(False)
        phase.module.requires_grad_(True)
        losses = phase.loss(batch_of(pictures(4, channels, size, size)))
        assert all(term.shape == () and term.isfinite() for term in losses.values())
        losses["loss"].backward()
        for weight, parameter in phase.module.named_parameters():
            assert parameter.grad is not None, f"{phase.name} {weight} gets no gradient"
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
    assert all(p.loss(batch_of(x, labelled=False))["loss"].isfinite() for p in built.phases())
    assert draw(built).shape == (6, 3, 16, 24)


@every_model
def test_one_seed_one_picture(name: str) -> None:
    model = stir(build(name))
    assert torch.equal(draw(model, seed=3), draw(model, seed=3))
    assert not torch.equal(draw(model, seed=3), draw(model, seed=4))


@every_model
def test_loss_depends_on_the_batch_alone(name: str) -> None:
    model, x = stir(build(name)), pictures(8)
    for phase in model.phases():
        first, second = (phase.loss(batch_of(x, seed=5)) for _ in range(2))
        assert all(torch.equal(first[term], second[term]) for term in first)


@every_model
def test_drawing_and_validating_change_nothing(name: str) -> None:
    model = stir(build(name))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    draw(model)
    with torch.no_grad():
        terms = model.validation(batch_of(pictures(6)))
    assert any(key.endswith("loss") for key in terms)
    assert all(term.isfinite() for term in terms.values())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@every_model
def test_labels_decide_what_is_drawn(name: str) -> None:
    model = stir(build(name))
    shirts, shoes = draw(model, labels=[0]), draw(model, labels=[1])
    assert not torch.allclose(shirts, shoes)
    assert torch.equal(draw(model)[3], draw(model, labels=[0, 1, 2])[3])  # classes in turn


@every_model
def test_conditional_is_a_choice(name: str) -> None:
    model = build(name, conditional=False)
    assert model.phases()[0].loss(batch_of(pictures(4)))["loss"].isfinite()
    samples = model.eval().sample(SampleRequest(count=2), torch.Generator())
    assert list(samples.labels) == []
    with pytest.raises(RequestError):
        model.check(SampleRequest(labels=[1]))


@every_model
def test_many_samples_come_in_chunks(name: str) -> None:
    assert draw(build(name), count=300).shape[0] == 300


@every_model
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bfloat16_stays_near_float32(name: str, layout: torch.memory_format) -> None:
    model = stir(build(name)).to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    x = pictures(8).contiguous(memory_format=layout)
    for phase in model.phases():
        exact = phase.loss(batch_of(x))["loss"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = phase.loss(batch_of(x))["loss"]
        assert loss.dtype == torch.float32
        loss.backward()
        assert loss.item() == pytest.approx(exact.item(), rel=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert draw(model).dtype == torch.float32


@every_model
@pytest.mark.parametrize("size", [(1, 12, 12), (1, 132, 132), (1, 16, 30), (2, 16, 16)])
def test_what_cannot_be_built_is_said_in_one_sentence(name: str, size: tuple[int, ...]) -> None:
    model, config = TINY[name]
    with pytest.raises(ConfigError) as error:
        model(configure(model.Config, config), DataShape("image", size))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [name for name in TINY if "dcgan" not in name])
def test_training_lowers_the_loss(name: str) -> None:
    losses = train(build(name, warmup=0) if "vae" in name else build(name), pictures(16), 60)[""]
    early, late = sum(losses[:5]) / 5, sum(losses[-5:]) / 5
    assert late < 0.8 * early


@pytest.mark.parametrize("name", [name for name in TINY if "dcgan" in name])
def test_training_a_gan_brings_its_pictures_near_the_data(name: str) -> None:
    model, x = build(name), pictures(16)
    before = (draw(model, count=64).mean(0) - x.mean(0)).abs().mean()
    train(model.train(), x, 120, lr=2e-3)
    after = (draw(model, count=64).mean(0) - x.mean(0)).abs().mean()
    assert after < 0.5 * before


# --------------------------------------------------------------------------- VAE


def test_kl_is_that_of_two_gaussians() -> None:
    mu, logvar = torch.randn(5, 3), torch.randn(5, 3)
    normal = torch.distributions.Normal
    exact = torch.distributions.kl_divergence(normal(mu, (logvar / 2).exp()), normal(0.0, 1.0))
    torch.testing.assert_close(kl_of_units(mu, logvar), exact)
    assert not kl_of_units(torch.zeros(1, 3), torch.zeros(1, 3)).any()


@pytest.mark.parametrize("log_scale", [-7.0, -3.0, 0.0, 2.0])
@pytest.mark.parametrize("mean", [-1.5, -1.0, 0.123, 1.0])
def test_discretised_logistic_is_a_distribution(mean: float, log_scale: float) -> None:
    levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    scale = torch.tensor(log_scale, dtype=torch.float64)
    mass = discretised_logistic(levels, torch.tensor(mean, dtype=torch.float64), scale)
    assert mass.exp().sum().item() == pytest.approx(1, abs=1e-9)
    single = discretised_logistic(levels.float(), torch.tensor(mean), scale.float())
    assert single.isfinite().all()  # no bin underflows, however far from the mean


def test_beta_grows_during_the_warmup_and_not_in_validation() -> None:
    model = build("vae bernoulli", beta=4.0, warmup=0.5)
    x = pictures(4)
    for progress, beta in ((0.0, 0.0), (0.25, 2.0), (0.5, 4.0), (0.9, 4.0)):
        terms = model.loss(batch_of(x, progress=progress))
        expected = terms["reconstruction"] + beta * terms["kl"]
        torch.testing.assert_close(terms["loss"], expected)
    validated = model.validation(batch_of(x, progress=0.0))
    torch.testing.assert_close(validated["loss"], validated["reconstruction"] + 4 * validated["kl"])


def test_the_gap_of_a_vae_is_of_the_bound_whatever_the_kl_weighs_yet() -> None:
    model = build("vae bernoulli", warmup=0.8)
    batch = batch_of(pictures(4), progress=0.0)
    with torch.no_grad():
        early, held = model.loss(batch), model.eval().validation(batch)
    assert early["loss"] == early["reconstruction"]
    assert model.fitted == "negative_elbo"
    assert early[model.fitted] == early["reconstruction"] + early["kl"]
    assert held[model.fitted] == pytest.approx(held["loss"].item())


def test_bits_per_dim_are_the_bound_in_other_units() -> None:
    terms = build("vae logistic").loss(batch_of(pictures(4)))
    nats = terms["reconstruction"] + terms["kl"]
    torch.testing.assert_close(terms["bits_per_dim"], nats / (256 * math.log(2)))
    assert "bits_per_dim" not in build("vae bernoulli").loss(batch_of(pictures(4)))


def test_temperature_zero_draws_the_mean_of_each_class() -> None:
    images = draw(stir(build("vae bernoulli")), temperature=0.0)
    assert torch.equal(images[:3], images[3:])
    assert not torch.equal(images[0], images[1])


# --------------------------------------------------------------------------- nets


def test_blocks_begin_as_the_identity() -> None:
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(ResBlock(8, 8)(x), x)
    torch.testing.assert_close(Attention(8)(x), x)


def test_attention_ignores_the_order_of_positions() -> None:
    block = Attention(8)
    stir(block)
    x, order = torch.randn(2, 8, 4, 4), torch.randperm(16)
    shuffled = x.flatten(2)[:, :, order].unflatten(2, (4, 4))
    expected = block(x).flatten(2)[:, :, order].unflatten(2, (4, 4))
    torch.testing.assert_close(block(shuffled), expected, rtol=1e-4, atol=1e-5)


def test_unet_begins_at_zero() -> None:
    net = UNet(3, base=8, classes=2)
    assert not net(torch.randn(2, 3, 16, 16), torch.rand(2), torch.tensor([0, 2])).any()


def test_sizes() -> None:
    assert [halvings(n, n) for n in (16, 28, 32, 64, 20, 36)] == [2, 2, 3, 4, 2, 2]
    assert chunks(5, 2) == [slice(0, 2), slice(2, 4), slice(4, 5)]


def test_a_mixture_is_fitted_once_and_anew_when_the_latents_are_others() -> None:
    memory = Memory(2)
    memory.add(torch.randn(200, 2), None)
    first = memory.mixture(None, 3)
    assert first is not None
    assert memory.mixture(None, 3) is first
    assert memory.mixture(None, 2) is not first
    memory.add(5 + torch.randn(200, 2), None)
    later = memory.mixture(None, 3)
    assert later is not None
    assert later.means.max() > 3
    other = Memory(2)
    assert other.mixture(None, 3) is None
    other.load_state_dict(memory.state_dict())
    loaded = other.mixture(None, 3)
    assert loaded is not None
    assert torch.equal(loaded.means, later.means)
