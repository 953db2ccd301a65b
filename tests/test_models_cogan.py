"""Coupled GAN: what is shared, what is not, and that domains belong together."""

import pytest
import torch
from picture_batches import CLASSES, batch_of, check_turns, draw, pictures, stir, train

from backends.gan._losses import RULES
from backends.gan.cogan import CoGAN, edges
from backends.knobs import ConfigError, configure
from backends.model import DataShape, RequestError
from backends.records import SampleRequest

every_domain = pytest.mark.parametrize("domains", ["edges", "negative", "classes"])


def build(
    channels: int = 1,
    height: int = 16,
    width: int = 16,
    classes: tuple[str, ...] = CLASSES,
    **knobs: object,
) -> CoGAN:
    torch.manual_seed(0)
    small: dict[str, object] = {"latent": 6, "width": 4}
    shape = DataShape("image", (channels, height, width), classes)
    return CoGAN(configure(CoGAN.Config, small | knobs), shape)


def test_edges_are_slopes() -> None:
    x = torch.full((1, 1, 6, 8), -1.0)
    assert torch.equal(edges(x), torch.full_like(x, -1.0))
    x[..., 4:] = 1
    found = edges(x)
    torch.testing.assert_close(found[..., 3:5], torch.ones(1, 1, 6, 2))
    assert (found[..., :3] == -1).all()
    assert (found[..., 5:] == -1).all()
    torch.testing.assert_close(edges(x.mT).mT, found)
    torch.testing.assert_close(edges(-x), found)


@every_domain
@pytest.mark.parametrize("size", [(1, 28, 28), (3, 16, 24)])
def test_sizes(domains: str, size: tuple[int, int, int]) -> None:
    model = build(*size, domains=domains)
    check_turns(model, batch_of(pictures(6, *size)))
    count = 3 if domains == "classes" else 2
    assert draw(model).shape == (6, size[0], size[1], count * size[2])


@every_domain
@pytest.mark.parametrize("loss", RULES)
def test_every_game(domains: str, loss: str) -> None:
    model = build(domains=domains, loss=loss, augment="diffaugment")
    check_turns(model, batch_of(pictures(6)))
    terms = model.discriminator_loss(batch_of(pictures(6)))
    names = ("0", "1", "2") if domains == "classes" else ("picture", domains)
    assert all(f"{side}/{name}" in terms for side in ("real", "fake") for name in names)
    means = torch.stack([terms[f"real/{name}"] for name in names]).mean()
    torch.testing.assert_close(means, terms["real"])


@pytest.mark.parametrize("labelled", [True, False])
def test_a_coupled_batch_holds_both_domains(labelled: bool) -> None:
    x = pictures(4)
    model = build(domains="negative", conditional=labelled)
    both = model.coupled(batch_of(x))
    assert torch.equal(both.x[::2], x)
    assert torch.equal(both.x[1::2], -x)
    assert both.y is not None
    labels = torch.tensor([0, 1, 2, 0]) if labelled else torch.zeros(4, dtype=torch.long)
    assert torch.equal(both.y, torch.stack([2 * labels, 2 * labels + 1], 1).flatten())


def test_layers_are_shared_but_the_ends() -> None:
    """What D says of the second domain moves the shared layers and the second ends alone."""
    model = build(domains="negative")
    second = model.G(torch.randn(3, 6), torch.tensor([0, 1, 2]))[:, 1]
    model.D(second, torch.tensor([1, 3, 5])).sum().backward()
    for net in (model.G, model.D):
        moved = {n for n, p in net.named_parameters() if p.grad is not None and p.grad.any()}
        assert any(name.startswith("own.1.") for name in moved)
        assert any(name.startswith("shared.") for name in moved)
        assert not any(name.startswith("own.0.") for name in moved)


def test_discriminator_is_told_the_domain_and_the_class() -> None:
    model, x = stir(build()), pictures(1)
    outputs = [model.D(x, torch.tensor([y])).item() for y in range(6)]
    assert len(set(outputs)) == 6


def test_domains_that_agree_are_told_from_those_that_do_not() -> None:
    model, x = build(domains="edges"), pictures(8)
    assert model.agreement(x, edges(x)).item() == 1
    assert model.agreement(x, edges(x).roll(1, 0)).item() < 0.2
    assert model.agreement(x, torch.zeros_like(x)).item() == 0
    with torch.no_grad():
        terms = model.eval().validation(batch_of(x))
        assert "agreement" not in build(domains="classes").eval().validation(batch_of(x))
    assert "agreement" in terms


def test_one_latent_draws_in_all_domains() -> None:
    model = stir(build(domains="classes"))
    z = torch.randn(2, 6)
    rows = model.paint(z, None, SampleRequest(), torch.Generator())
    assert torch.equal(rows[..., 16:32], model.G(z, None)[:, 1])


def test_domains_of_classes_need_classes() -> None:
    for classes in ((), ("one",), tuple(map(str, range(20)))):
        with pytest.raises(ConfigError, match="2 to 16 classes"):
            build(classes=classes, domains="classes")
    with pytest.raises(RequestError):
        build(domains="classes").check(SampleRequest(labels=[1]))
    build().check(SampleRequest(labels=[1]))


def test_without_labels() -> None:
    model = build(classes=())
    check_turns(model, batch_of(pictures(4), labelled=False))
    assert draw(model).shape == (6, 1, 16, 32)


def test_training_couples_pictures_with_their_negatives() -> None:
    model, x = build(domains="negative"), pictures(16)
    train(model, x, 100, lr=3e-3)
    first, second = draw(model, count=64).chunk(2, dim=3)
    assert (first.mean(0) - x.mean(0)).abs().mean() < 0.2
    assert model.agreement(first, second) > 0.5
