"""The GANs: the games' closed forms, penalties, augmentation, and what each model claims."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from picture_batches import CLASSES, batch_of, draw, pictures, stir
from tiny import Inbox, command, points, recipe, run, same
from torch import Tensor, nn
from torch.nn import functional as F

from backends import catalogue
from backends.data import Dataset, Images
from backends.gan._augment import (
    ADAPT_EVERY,
    AdaptiveAugment,
    DiffAugment,
    colour,
    cutout,
    translate,
)
from backends.gan._game import Game, diversity, walk
from backends.gan._losses import RULES
from backends.gan._penalties import squared_gradients, unit_gradients
from backends.gan._projection import Projection
from backends.gan.r3gan import Block
from backends.knobs import ConfigError, configure
from backends.model import DataShape, RequestError
from backends.records import SampleRequest

NAMES = ("gan/mlp", "gan/dcgan", "gan/wgan_gp", "gan/r3gan")
LOSSES = tuple(RULES)
every_gan = pytest.mark.parametrize("name", NAMES)
every_loss = pytest.mark.parametrize("loss", LOSSES)


@pytest.fixture(autouse=True)
def _one_thread_and_seed() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def build(name: str, shape: tuple[int, ...] = (1, 16, 16), **knobs: object) -> Game:
    kind = catalogue.load(name)
    small: dict[str, object] = {"latent": 6, "width": 8 if name == "gan/mlp" else 4}
    small |= {"widest": 16} if name == "gan/r3gan" else {}
    torch.manual_seed(0)
    model = kind(configure(kind.Config, small | knobs), DataShape("image", shape, CLASSES))
    assert isinstance(model, Game)
    return model


def data(count: int = 40) -> Dataset:
    pixels = pictures(count).add(1).mul(127.5).to(torch.uint8)
    labels = torch.arange(count) % len(CLASSES)
    source = Images(pixels[:30], labels[:30]), Images(pixels[30:], labels[30:])
    return Dataset(DataShape("image", (1, 16, 16), CLASSES), *source)


# --------------------------------------------------------------------------- the games


def test_binary_cross_entropy_is_the_published_game() -> None:
    real, fake = torch.randn(9), torch.randn(9)
    yes, no = torch.ones(9), torch.zeros(9)
    expected = F.binary_cross_entropy_with_logits(real, yes)
    expected = expected + F.binary_cross_entropy_with_logits(fake, no)
    torch.testing.assert_close(RULES["non_saturating"].D(real, fake), expected)
    forged = F.binary_cross_entropy_with_logits(fake, yes)
    torch.testing.assert_close(RULES["non_saturating"].G(real, fake), forged)


@pytest.mark.parametrize(
    ("loss", "D", "G"),
    [
        ("relativistic", math.log(2), math.log(2)),
        ("non_saturating", 2 * math.log(2), math.log(2)),
        ("least_squares", 0.5, 0.5),
        ("hinge", 2.0, 0.0),
        ("wasserstein", 0.0, 0.0),
    ],
)
def test_a_discriminator_that_knows_nothing(loss: str, D: float, G: float) -> None:
    zero = torch.zeros(4)
    assert RULES[loss].D(zero, zero).item() == pytest.approx(D)  # pyright: ignore[reportArgumentType]
    assert RULES[loss].G(zero, zero).item() == pytest.approx(G)  # pyright: ignore[reportArgumentType]


def test_games_are_won_where_the_papers_say() -> None:
    one = torch.ones(4)
    assert RULES["least_squares"].D(one, 0 * one) == 0
    assert RULES["least_squares"].G(0 * one, one) == 0
    assert RULES["hinge"].D(one, -one) == 0
    assert RULES["hinge"].D(5 * one, -7 * one) == 0
    assert RULES["wasserstein"].D(3 * one, one) == -2


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
def test_where_only_comparisons_count_a_shift_changes_nothing(loss: str) -> None:
    real, fake = torch.randn(8), torch.randn(8)
    rules = RULES[loss]  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(rules.D(real + 3, fake + 3), rules.D(real, fake))
    assert rules.sign(real + 3, fake + 3) == rules.sign(real, fake)
    assert rules.accuracies(real + 3, fake + 3) == rules.accuracies(real, fake)


def test_the_relativistic_generator_plays_the_other_side() -> None:
    real, fake = torch.randn(8), torch.randn(8)
    rules = RULES["relativistic"]
    torch.testing.assert_close(rules.G(real, fake), rules.D(fake, real))


@every_loss
def test_both_players_want_what_is_against_the_other(loss: str) -> None:
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    rules = RULES[loss]  # pyright: ignore[reportArgumentType]
    up, down = torch.autograd.grad(rules.D(real, fake), (real, fake), materialize_grads=True)
    assert (up < 0).all()  # descent raises what D says of real pictures
    assert loss == "least_squares" or (down > 0).all()  # there 0 is what D wants already
    (forged,) = torch.autograd.grad(rules.G(real, fake), fake)
    assert (forged < 0).all()


def test_signs_and_accuracies_by_hand() -> None:
    real, fake = torch.tensor([2.0, -1.0, 3.0, 0.9]), torch.tensor([-2.0, 1.0, 0.2, -3.0])
    assert RULES["hinge"].sign(real, fake) == 0.5
    assert RULES["relativistic"].sign(real, fake) == 0.5
    assert [a.item() for a in RULES["non_saturating"].accuracies(real, fake)] == [0.75, 0.5]
    assert [a.item() for a in RULES["least_squares"].accuracies(real, fake)] == [0.75, 0.75]


@every_loss
@pytest.mark.parametrize("augment", ["none", "diffaugment", "ada"])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_every_game_reaches_every_weight(loss: str, augment: str, spectral_norm: bool) -> None:
    for name in ("gan/mlp", "gan/dcgan"):
        model = build(name, loss=loss, augment=augment, spectral_norm=spectral_norm)
        for phase in model.phases():
            model.requires_grad_(False)
            phase.module.requires_grad_(True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                losses = phase.loss(batch_of(pictures(6)))
            assert all(term.shape == () and term.isfinite() for term in losses.values())
            assert losses["loss"].dtype == torch.float32
            losses["loss"].backward()
            for weight, parameter in phase.module.named_parameters():
                assert parameter.grad is not None, f"{phase.name} {weight} gets no gradient"
                assert parameter.grad.isfinite().all()


@every_loss
def test_each_game_has_the_optimizer_that_was_published_for_it(loss: str) -> None:
    kind = catalogue.load("gan/mlp")
    found = kind.recipe_for(configure(kind.Config, {"loss": loss}))
    recipe(**found)  # all of them are knobs of the loop
    expected = {
        "relativistic": (5e-4, 0.0),
        "non_saturating": (2e-4, 0.5),
        "least_squares": (2e-4, 0.5),
        "hinge": (2e-4, 0.0),
        "wasserstein": (1e-4, 0.0),
    }
    assert (found["lr"], found["beta1"]) == expected[loss]


def test_the_discriminator_can_learn_faster() -> None:
    D, G = build("gan/mlp", ttur=4.0).phases()
    assert (D.lr, G.lr) == (4.0, 1.0)


@every_gan
def test_one_pass_or_two_are_the_same(name: str) -> None:
    model, x = stir(build(name)).eval(), pictures(6)
    y, images = torch.arange(6) % 3, torch.rand_like(x)
    assert model.one_pass
    together = model.judge(x, images, y)
    torch.testing.assert_close(together, (model.D(x, y), model.D(images, y)))


def test_batch_norm_never_sees_real_and_generated_pictures_at_once() -> None:
    assert not build("gan/dcgan", loss="non_saturating").one_pass
    assert build("gan/dcgan", loss="non_saturating", spectral_norm=True).one_pass


# --------------------------------------------------------------------------- penalties


def test_penalty_is_the_squared_gradient_of_a_linear_discriminator() -> None:
    weights = torch.randn(1, 3, 4, 4)
    x = torch.randn(5, 3, 4, 4)
    penalty = squared_gradients(lambda x, y: (weights * x).sum((1, 2, 3)), x, None)
    torch.testing.assert_close(penalty, weights.square().sum().expand(5))


def test_penalty_has_a_gradient_of_its_own() -> None:
    scale = nn.Parameter(torch.tensor(3.0))
    penalty = squared_gradients(lambda x, y: scale * x.sum((1, 2, 3)), torch.ones(2, 1, 2, 2), None)
    penalty.mean().backward()  # |scale · 1|² over 4 pixels
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(2 * 3.0 * 4)


def test_penalties_are_the_same_under_autocast() -> None:
    model, x, y = build("gan/mlp"), pictures(4), torch.arange(4) % 3
    exact = squared_gradients(model.D, x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(squared_gradients(model.D, x.bfloat16().float(), y), exact)


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_the_wasserstein_penalty_wants_a_slope_of_one(slope: float) -> None:
    direction = F.normalize(torch.randn(1, 12), dim=1)
    D = nn.Linear(12, 1, bias=False)
    D.weight.data.copy_(slope * direction)
    real, fake, share = torch.randn(5, 12), torch.randn(5, 12), torch.rand(5)
    values = unit_gradients(lambda x, y: D(x)[:, 0], real, fake, None, share)
    torch.testing.assert_close(values, torch.full((5,), (slope - 1) ** 2), atol=1e-5, rtol=1e-5)
    values.mean().backward()
    assert D.weight.grad is not None
    assert D.weight.grad.isfinite().all()


def test_the_wasserstein_penalty_looks_between_real_and_generated_pictures() -> None:
    seen: list[Tensor] = []

    def look(x: Tensor, y: Tensor | None) -> Tensor:
        seen.append(x.detach())
        return x.square().sum(1)

    real, fake = torch.zeros(3, 2), torch.ones(3, 2)
    unit_gradients(look, real, fake, None, torch.tensor([0.0, 0.25, 1.0]))
    torch.testing.assert_close(seen[0], torch.tensor([[1.0, 1.0], [0.75, 0.75], [0.0, 0.0]]))


def test_relativistic_game_is_fair_where_both_look_alike() -> None:
    model = build("gan/dcgan")
    head = model.D.get_submodule("head")
    assert isinstance(head, Projection)
    nn.init.zeros_(head.last.weight)
    x = pictures(6)
    terms = model.discriminator_loss(batch_of(x))
    assert terms["loss"].item() == pytest.approx(math.log(2))
    assert terms["r1"].item() == terms["r2"].item() == 0
    assert model.generator_loss(batch_of(x))["loss"].item() == pytest.approx(math.log(2))


def test_gamma_falls_from_its_start_to_its_end() -> None:
    model = build("gan/dcgan", gamma=2.0, gamma_final=0.5)
    gammas = [model.gamma(progress) for progress in (0.0, 0.5, 1.0)]
    assert gammas == pytest.approx([2.0, 1.25, 0.5])


@pytest.mark.parametrize(("share", "seen"), [(0.25, 2), (1.0, 8)])
def test_penalties_are_taken_on_a_share_of_the_batch(share: float, seen: int) -> None:
    model = build("gan/mlp", penalty_share=share, gamma=1.0)
    x = pictures(8)
    [(weight, terms)] = model.penalties(x, x, batch_of(x, progress=0.0))
    expected = squared_gradients(model.D, x[:seen], torch.arange(seen) % 3).mean()
    torch.testing.assert_close(terms["r1"], expected)
    assert weight == pytest.approx(0.5)


def test_a_spectral_norm_bounds_how_fast_outputs_change() -> None:
    model = stir(build("gan/mlp", width=32, spectral_norm=True, conditional=False))
    for _ in range(300):
        model.after_d()
    for part in model.D.modules():
        if isinstance(part, nn.Linear):
            largest = torch.linalg.matrix_norm(part.weight.detach(), 2).item()
            assert largest == pytest.approx(1, abs=1e-3)
    a, b = torch.randn(64, 1, 16, 16), torch.randn(64, 1, 16, 16)
    moved = (model.D(a, None) - model.D(b, None)).abs()
    assert (moved <= 1.01 * (a - b).flatten(1).norm(dim=1)).all()


def test_spectral_norms_follow_the_weights_between_turns_only() -> None:
    model = stir(build("gan/mlp", spectral_norm=True))
    before = {name: value.clone() for name, value in model.named_buffers()}
    model.discriminator_loss(batch_of(pictures(4)))
    assert all(torch.equal(before[name], value) for name, value in model.named_buffers())
    model.after_d()
    assert any(not torch.equal(before[name], value) for name, value in model.named_buffers())


# --------------------------------------------------------------------------- classes


def test_projection_is_a_linear_layer_and_a_product_with_the_class() -> None:
    head, h, y = Projection(5, 3), torch.randn(4, 5), torch.tensor([0, 1, 2, 1])
    plain = head(h, y)
    assert torch.equal(plain, head(h, torch.zeros_like(y)))  # it begins as if there were no classes
    assert head.embed is not None
    nn.init.normal_(head.embed.weight)
    torch.testing.assert_close(head(h, y), plain + (head.embed.weight[y] * h).sum(1))


@every_gan
def test_conditional_is_a_choice(name: str) -> None:
    model = build(name, conditional=False)
    assert model.phases()[0].loss(batch_of(pictures(4)))["loss"].isfinite()
    assert list(model.eval().sample(SampleRequest(count=2), torch.Generator()).labels) == []
    with pytest.raises(RequestError):
        model.check(SampleRequest(labels=[1]))
    told = stir(build(name))
    assert not torch.allclose(draw(told, labels=[0]), draw(told, labels=[1]))


# --------------------------------------------------------------------------- augmentation


def test_translation_moves_whole_pictures_by_an_eighth_at_most() -> None:
    x = torch.randn(3, 2, 16, 16)
    still, far = torch.full((2, 3, 1), 0.5), torch.full((2, 3, 1), 0.999)
    assert torch.equal(translate(x, still), x)
    moved = translate(x, far)
    assert torch.equal(moved[:, :, :-2, :-2], x[:, :, 2:, 2:])
    assert not moved[:, :, -2:].any()
    assert not moved[:, :, :, -2:].any()


def test_cutout_takes_at_most_a_quarter() -> None:
    cut = cutout(torch.ones(200, 1, 16, 16), torch.rand(2, 200, 1))
    lost = (cut == 0).flatten(1).sum(1)
    assert lost.max() == 64
    assert lost.min() >= 16  # its middle is within the picture


def test_colours_keep_to_their_ranges() -> None:
    x = torch.randn(4, 3, 8, 8)
    half = torch.full((3, 4, 1, 1, 1), 0.5)
    torch.testing.assert_close(colour(x, half), x)
    brighter = half.clone()
    brighter[0] = 1.0
    torch.testing.assert_close(colour(x, brighter), x + 0.5)
    gray = half.clone()
    gray[1] = 0.0
    torch.testing.assert_close(colour(x, gray), x.mean(1, keepdim=True).expand_as(x))
    flat = half.clone()
    flat[2] = 0.0
    torch.testing.assert_close(colour(x, flat).std((1, 2, 3)), x.std((1, 2, 3)) / 2)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("augment", ["diffaugment", "ada"])
def test_augmentation_is_differentiable_and_drawn_from_the_batch(
    augment: str, channels: int
) -> None:
    module = DiffAugment() if augment == "diffaugment" else AdaptiveAugment(0.6, 1)
    if isinstance(module, AdaptiveAugment):
        module.p.fill_(0.8)
    x = torch.randn(8, channels, 12, 16, requires_grad=True)
    seen = module(x, batch_of(x))
    assert seen.shape == x.shape
    assert torch.equal(seen, module(x, batch_of(x)))
    assert not torch.equal(seen, module(x, batch_of(x, seed=1)))
    (gradient,) = torch.autograd.grad(seen.square().sum(), x)
    assert gradient.isfinite().all()
    assert gradient.flatten(1).any(1).all()


def test_ada_begins_with_no_augmentation() -> None:
    x = torch.randn(8, 3, 16, 16)
    torch.testing.assert_close(AdaptiveAugment(0.6, 1)(x, batch_of(x)), x, atol=1e-5, rtol=1e-5)


def test_adas_colours_turn_around_the_grays() -> None:
    ada, x = AdaptiveAugment(0.6, 1), torch.randn(64, 3, 8, 8)
    ada.p.fill_(1.0)
    matrix = ada.colours(x, batch_of(x))
    gray = matrix[:, :, :3].sum(2)  # what becomes of (1, 1, 1) is as long in every channel
    torch.testing.assert_close(gray, gray[:, :1].expand_as(gray), atol=1e-4, rtol=1e-4)


def test_ada_follows_the_sign_statistic() -> None:
    ada = AdaptiveAugment(target=0.6, kimg=1)

    def turn(sign: float) -> None:
        ada.note(torch.tensor(sign), 50)
        ada.adapt()

    for _ in range(ADAPT_EVERY - 1):
        turn(1.0)
    assert ada.p == 0
    turn(0.0)  # the mean of the four is 0.75, over the target
    assert ada.p == pytest.approx(ADAPT_EVERY * 50 / 1000)
    for _ in range(ADAPT_EVERY):
        turn(0.5)
    assert ada.p == 0
    for _ in range(ADAPT_EVERY):
        turn(-1.0)
    assert ada.p == 0  # and not below
    for _ in range(20 * ADAPT_EVERY):
        turn(1.0)
    assert ada.p == 1  # nor above


def test_ada_resumes_to_the_last_bit(tmp_path: Path) -> None:
    def model(seed: int = 0) -> Game:
        built = build("gan/mlp", augment="ada", ada_kimg=0.1, spectral_norm=True)
        return stir(built) if seed else built

    straight, first, second = model(), model(), model(seed=1)
    run(tmp_path / "a", straight, dataset=data(), steps=14)
    stop = Inbox({6: [command("stop")]})  # between two adaptations
    run(tmp_path / "b", first, dataset=data(), steps=14, inbox=stop)
    run(tmp_path / "b", second, dataset=data(), steps=14, attempt=2)
    assert same(straight.state_dict(), second.state_dict())
    assert isinstance(straight.augment, AdaptiveAugment)
    assert straight.augment.p > 0


# --------------------------------------------------------------------------- looking at it


def test_diversity_compares_with_the_data() -> None:
    x = torch.randn(8, 1, 4, 4)
    assert diversity(x, x).item() == pytest.approx(1)
    assert diversity(2 * x, x).item() == pytest.approx(2)
    assert diversity(x[:1].expand(8, -1, -1, -1), x) == 0
    assert diversity(x[:1], x[:1]) == 1


@every_gan
def test_health_is_logged(name: str) -> None:
    model = build(name)
    terms = model.discriminator_loss(batch_of(pictures(6)))
    assert {"loss", "real", "fake", "sign", "accuracy"} < set(terms)
    with torch.no_grad():
        held = model.eval().validation(batch_of(pictures(6)))
    assert {"D/loss", "D/real_accuracy", "D/fake_accuracy", "diversity"} == set(held)


def test_a_walk_keeps_the_length_of_its_latents() -> None:
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    on_the_way = walk(a, b, torch.linspace(0, 1, 5))
    torch.testing.assert_close(on_the_way[0], a[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(on_the_way[-1], b[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(on_the_way.norm(dim=1), torch.full((5,), 3.0))


@every_gan
def test_a_walk_goes_through_each_class(name: str) -> None:
    model = stir(build(name))
    request = SampleRequest(count=7, interpolate=True)
    samples = model.eval().sample(request, torch.Generator().manual_seed(0))
    assert list(samples.labels) == [0, 0, 0, 1, 1, 2, 2]
    one = draw(model, count=8, labels=[1], interpolate=True)
    step = (one[1:] - one[:-1]).flatten(1).norm(dim=1)
    assert (step < (one[0] - one[-1]).norm()).all()  # neighbours are nearer than the ends


@every_gan
def test_pictures_are_within_their_range(name: str) -> None:
    images = draw(stir(build(name)), temperature=30.0)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1


@every_gan
def test_training_brings_its_pictures_near_the_data(name: str) -> None:
    model = build(name)
    x, phases = pictures(16), model.phases()
    before = (draw(model, count=64).mean(0) - x.mean(0)).abs().mean()
    optimizers = [torch.optim.Adam(p.module.parameters(), 5e-3, (0.0, 0.99)) for p in phases]
    model.train()
    for step in range(60):
        for phase, optimizer in zip(phases, optimizers, strict=True):
            model.requires_grad_(False)
            phase.module.requires_grad_(True)
            optimizer.zero_grad()
            phase.loss(batch_of(x, seed=step))["loss"].backward()
            optimizer.step()
    after = (draw(model, count=64).mean(0) - x.mean(0)).abs().mean()
    assert after < 0.5 * before


# --------------------------------------------------------------------------- mlp


@pytest.mark.parametrize(
    ("knobs", "units", "leak"),
    [
        ({"networks": "large"}, [256, 512, 1024], 0.2),
        ({"networks": "small"}, [128, 256, 512], 0.01),
        ({"width": 24, "depth": 2}, [24, 24], 0.2),
    ],
)
def test_the_perceptrons_have_their_published_layers(
    knobs: dict[str, object], units: list[int], leak: float
) -> None:
    model = build("gan/mlp", (1, 28, 28), conditional=False, **knobs)
    forward = [m.out_features for m in model.G.modules() if isinstance(m, nn.Linear)]
    back = [m.out_features for m in model.D.modules() if isinstance(m, nn.Linear)]
    assert forward == [*units, 784]
    assert back == [*units[::-1], 1]
    leaks = [m.negative_slope for m in model.modules() if isinstance(m, nn.LeakyReLU)]
    assert leaks == [leak] * 2 * len(units)


@pytest.mark.parametrize("size", [(1, 5, 7), (3, 16, 16), (2, 12, 12)])
def test_the_perceptrons_take_pictures_of_any_size(size: tuple[int, ...]) -> None:
    model, x = build("gan/mlp", size), torch.rand(4, *size)
    assert all(phase.loss(batch_of(x))["loss"].isfinite() for phase in model.phases())
    assert draw(model).shape == (6, *size)


def test_latents_can_be_uniform() -> None:
    z = build("gan/mlp", noise="uniform").latents(2000, torch.Generator().manual_seed(0))
    assert z.abs().max() <= 1
    assert z.var() == pytest.approx(1 / 3, rel=0.05)
    normal = build("gan/mlp").latents(2000, torch.Generator().manual_seed(0))
    assert normal.var() == pytest.approx(1, rel=0.05)


# --------------------------------------------------------------------------- dcgan


@pytest.mark.parametrize(("loss", "norms"), [("non_saturating", True), ("relativistic", False)])
def test_batch_norm_is_where_it_was_published(loss: str, norms: bool) -> None:
    model = build("gan/dcgan", (3, 64, 64), loss=loss, width=16)
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.D.modules()) == norms
    kernels = [m.weight for m in model.D.modules() if isinstance(m, nn.Conv2d)]
    stds = [kernel.std().item() for kernel in kernels]
    assert (stds == pytest.approx([0.02] * len(stds), rel=0.1)) == norms


# --------------------------------------------------------------------------- wgan


def test_clipping_keeps_every_weight_small(tmp_path: Path) -> None:
    model = build("gan/wgan_gp", lipschitz="clipping", clip=0.01, n_critic=2)
    assert max(p.abs().max().item() for p in model.D.parameters()) <= 0.01
    run(tmp_path, model, dataset=data(), steps=3, lr=0.1)
    assert max(p.abs().max().item() for p in model.D.parameters()) == pytest.approx(0.01)
    assert max(p.abs().max().item() for p in model.G.parameters()) > 0.01
    kind = catalogue.load("gan/wgan_gp")
    found = kind.recipe_for(configure(kind.Config, {"lipschitz": "clipping"}))
    assert (found["optimizer"], found["lr"]) == ("rmsprop", 5e-5)


def test_the_critic_takes_its_turns_first(tmp_path: Path) -> None:
    steps = points(run(tmp_path, build("gan/wgan_gp", n_critic=3), dataset=data(), steps=7))
    assert [step for step, values in steps.items() if "G/loss" in values] == [1, 4, 7]
    assert all("D/loss" in values and "D/penalty" in values for values in steps.values())


def test_the_wasserstein_estimate_is_the_game_without_its_penalty() -> None:
    terms = build("gan/wgan_gp", penalty=5.0).discriminator_loss(batch_of(pictures(6)))
    torch.testing.assert_close(terms["wasserstein"], terms["real"] - terms["fake"])
    torch.testing.assert_close(terms["loss"], 5 * terms["penalty"] - terms["wasserstein"])


# --------------------------------------------------------------------------- r3gan


def test_its_blocks_begin_as_the_identity() -> None:
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(Block(8, 4, 3)(x), x)


def test_it_normalises_nothing_and_starts_well_scaled() -> None:
    model = build("gan/r3gan", (3, 32, 32), width=16)
    norms = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)
    assert not any(isinstance(module, norms) for module in model.modules())
    images = model.generate(batch_of(torch.zeros(64, 3, 32, 32)))
    assert images.std().item() == pytest.approx(1, abs=0.6)
    assert model.D(torch.randn(256, 3, 32, 32), torch.zeros(256).long()).std() < 3


@pytest.mark.parametrize("size", [(1, 16, 16), (1, 28, 28), (3, 16, 24), (3, 64, 64)])
def test_it_takes_the_usual_sizes(size: tuple[int, ...]) -> None:
    model, x = build("gan/r3gan", size, widest=8), torch.rand(4, *size)
    assert all(phase.loss(batch_of(x))["loss"].isfinite() for phase in model.phases())
    assert draw(model).shape == (6, *size)
    with pytest.raises(ConfigError):
        build("gan/r3gan", (1, 12, 12))
